# METADATA
# title: What of each resource is shown, and how
# description: The matrix names an outcome for entity or component, role and purpose; this reads it.
package gateway.fields

import data.gateway.lib
import data.gateway.subject

# METADATA
# title: The fetch that a resource is, or is a component of
root[id] := split(id, ".")[0] if some id, _ in input.resources

# METADATA
# title: A resource as the matrix names it, such as "Person.addresses.location"
name[id] := concat("", [input.resources[fetch].entity, substring(id, count(fetch), -1)]) if {
	some id, fetch in root
}

# METADATA
# title: The same as reached over a link, such as "Vehicle>Person"
linked_name[id] := concat(">", [input.resources[parent].entity, name[id]]) if {
	some id, fetch in root
	parent := input.resources[fetch].parent
	is_string(parent)
}

# METADATA
# title: The outcome that the matrix names for a resource, the most particular place first
word(id) := found if {
	found := placed(linked_name[id], input.resources[id])
} else := found if {
	found := placed(name[id], input.resources[id])
} else := placed(input.resources[id].entity, input.resources[id])

# METADATA
# title: The cell of a place for the role and the purpose; "*" stands for all the others
cell(place) := found if {
	found := data.tables.matrix[place][subject.column][input.context.purpose]
} else := found if {
	found := data.tables.matrix[place][subject.column]["*"]
} else := data.tables.matrix[place]["*"]["*"]

placed(place, resource) := chosen(cell(place), resource)

# METADATA
# title: A cell may tell the subject's own agency's data from others'
chosen(found, _) := found if is_string(found)

chosen(found, resource) := found.own if {
	is_object(found)
	subject.owns(resource)
}

chosen(found, resource) := found.other if {
	is_object(found)
	not subject.owns(resource)
}

# METADATA
# title: A purpose may reach some entities only
reached(_) if not subject.purpose.reaches

reached(id) if input.resources[root[id]].entity in subject.purpose.reaches

# METADATA
# title: An outcome may ask for training and say what holds without it
settled(named) := named if {
	outcome := data.tables.outcomes[named]
	trained(outcome)
} else := data.tables.outcomes[named].otherwise

trained(outcome) if not outcome.needs

trained(outcome) if outcome.needs in input.subject.training

# METADATA
# title: The outcome of each resource, by name
outcome_name[id] := settled(word(id)) if {
	some id, _ in name
	reached(id)
}

outcome[id] := data.tables.outcomes[named] if some id, named in outcome_name

# METADATA
# title: How each field asked for is shown; what is not here is denied
manners[id] := {field: manner |
	some field in resource.read
	known := data.tables.fields[resource.entity][field]
	known[1] in subject.field_markings
	manner := stated(choice(said, field, known))
} if {
	some id, resource in input.resources
	outcome[id].show == "records"
	said := object.get(outcome[id], "read", {})
}

# METADATA
# title: A field by its own name, else as all the others, else by the ladder of sensitivity
# description: A field that holds a component has no value of its own; its component is decided.
choice(said, field, known) := "CLEAR" if {
	known[2]
} else := said[field] if {
	said[field]
} else := "" if {
	field in data.tables.ladder.explicit
} else := said["*"] if {
	said["*"]
} else := "CLEAR" if {
	on_ladder(known[0])
}

# METADATA
# title: The role's rung reaches the field's class, and the class is one the ladder may give at all
on_ladder(class) if {
	ranks := data.tables.ladder.ranks
	ranks[class] <= ranks[subject.role.ladder]
	ranks[class] <= ranks[data.tables.ladder.highest]
}

# METADATA
# title: A manner as the gateway reads it; an empty word denies
stated(manner) := manner if {
	is_string(manner)
	manner != ""
}

stated(manner) := [{"when": lib.only(object.get(one, "only", {})), "as": one.as} | some one in manner] if {
	is_array(manner)
}

# METADATA
# title: The permission to look at each field in other ways than showing it
agreed_uses[id] := {use: fields |
	some use, asked in resource.uses
	fields := [field | some field in asked; may_use(id, resource, use, field)]
	count(fields) > 0
} if {
	some id, resource in input.resources
	outcome[id].show
}

# METADATA
# title: A use is listed for the resource, not taken back by its outcome, and its component is shown
may_use(id, resource, use, field) if {
	field in data.tables.uses[resource.entity][use]
	not field in object.get(object.get(outcome[id], "not_uses", {}), use, [])
	component_shown(resource, field)
}

component_shown(_, field) if not contains(field, ".")

component_shown(resource, field) if {
	parts := split(field, ".")
	show := data.tables.outcomes[settled(component_word(resource, parts[0]))].show
	show != "silent"
}

component_word(resource, component) := found if {
	found := placed(concat(".", [resource.entity, component]), resource)
} else := placed(data.tables.fields[resource.entity][component][2], resource)
