# METADATA
# title: What of each resource is shown, and how
# description: The matrix names an outcome for entity or component, role and purpose; this reads it.
package gateway.fields

import data.gateway.firewall
import data.gateway.handling
import data.gateway.lib
import data.gateway.subject

# Of all resources at once: a rule that is asked one resource at a time is worked out anew each time.

# METADATA
# title: The fetch that a resource is, or is a component of
root := {id: split(id, ".")[0] | some id, _ in input.resources}

# METADATA
# title: The fetches, each by itself
fetches := {fetch | some fetch in root}

# METADATA
# title: A resource as the matrix names it, such as "Person.addresses.location"
name := {id: concat("", [input.resources[fetch].entity, trim_prefix(id, fetch)]) | some id, fetch in root}

# METADATA
# title: The entity over whose link a record is reached; nothing for a question's own fetch
via := {id: input.resources[input.resources[id].parent].entity | some id in fetches}

# METADATA
# title: The outcome of each resource, by name
# custom:
#   owner: all agencies
#   reason: Who sees what for which purpose was agreed by all agencies. Ask the gateway desk.
outcome_name := {id: outcome(link, place, resource.entity, side(resource.agency)) |
	some id, place in name
	reached(id)
	resource := input.resources[id]
	link := object.get(via, root[id], "")
}

# METADATA
# title: The outcomes of a question, each once
# custom:
#   owner: all agencies
#   reason: Who sees what for which purpose was agreed by all agencies. Ask the gateway desk.
outcomes := {named | some named in outcome_name}

# METADATA
# title: Whether data are the subject's own agency's
# custom:
#   owner: all agencies
#   reason: An agency reads its own data under its own rules. Ask the owner's desk.
side(agency) := "own" if {
	agency == input.subject.agency
} else := "other"

# Functions of names, not of resources, because OPA remembers what a function gave for its
# arguments: five agencies asked the same cost little more than one.

# METADATA
# title: The outcome of a place, after what it asks for; under a crime purpose some places are not silent
# custom:
#   owner: all agencies
#   reason: Some things are read rightly only by people trained for them, and some are not kept from a crime purpose. Ask the desk that the note names.
outcome(link, place, type, whose) := firewall.floored(place, settled(word(link, place, type, whose)))

# METADATA
# title: The outcome that the matrix names, the most particular place first
# description: First "Vehicle>Person", then "Person", then a component's own type.
# custom:
#   owner: all agencies
#   reason: What is agreed on a place by itself counts before what is agreed on all like it. Ask the gateway desk.
word(link, place, type, whose) := found if {
	link != ""
	found := placed(concat(">", [link, place]), whose)
} else := found if {
	found := placed(place, whose)
} else := placed(type, whose)

# METADATA
# title: A cell is a word, or one for the subject's own agency's data and one for others'
# custom:
#   owner: all agencies
#   reason: An agency reads its own data under its own rules. Ask the owner's desk.
placed(place, _) := found if {
	found := cell(place)
	is_string(found)
}

placed(place, whose) := cell(place)[whose]

# METADATA
# title: The cell of a place for the role and the purpose; "*" stands for all the others
# custom:
#   owner: all agencies
#   reason: Who sees what for which purpose was agreed by all agencies, cell by cell. Ask the gateway desk.
cell(place) := found if {
	found := data.tables.matrix[place][subject.column][input.context.purpose]
} else := found if {
	found := data.tables.matrix[place][subject.column]["*"]
} else := data.tables.matrix[place]["*"]["*"]

# METADATA
# title: A purpose may reach some entities only
# custom:
#   owner: all agencies
#   reason: A purpose is for some work, and for the records of that work alone. Ask the gateway desk.
reached(id) if not beyond[id]

# METADATA
# title: Resources of entities that the purpose does not reach
# custom:
#   owner: all agencies
#   reason: A purpose is for some work, and for the records of that work alone. Ask the gateway desk.
beyond contains id if {
	reaches := subject.purpose.reaches
	some id, place in name
	not split(place, ".")[0] in reaches
}

# METADATA
# title: An outcome may ask for training or for a reason, and say what holds without it
# custom:
#   owner: all agencies
#   reason: Some things are read rightly only by people trained for them, or in a situation that they are for. Ask the desk that the note names.
settled(named) := named if {
	outcome := data.tables.outcomes[named]
	trained(outcome)
	fitting(outcome)
} else := data.tables.outcomes[named].otherwise

# METADATA
# title: The person has the training that an outcome asks for, if it asks for any
# custom:
#   owner: all agencies
#   reason: Some things are read rightly only by people trained for them. Ask the desk that the note names.
trained(outcome) if not outcome.needs

trained(outcome) if lib.trained(outcome.needs)

# METADATA
# title: The question has one of the reason codes that an outcome asks for, if it asks for any
# custom:
#   owner: all agencies
#   reason: Who is in custody is looked after by those who must know. Ask the public protection desk.
fitting(outcome) if not outcome.reasons

fitting(outcome) if input.context.reason_code in outcome.reasons

# METADATA
# title: How each field asked for is shown; what is not here is denied
# custom:
#   owner: all agencies
#   reason: A field that nobody listed is not shown. Ask the gateway desk.
manners(named, type, asked) := {field: manner |
	data.tables.outcomes[named].show == "records"
	some field in asked
	manner := manner_of(named, type, field)
}

# METADATA
# title: How one field is shown to somebody whose clearance reaches it
# custom:
#   owner: all agencies
#   reason: A marking is the owner's word on who may read, field by field. No desk can change it.
manner_of(named, type, field) := said(outcome, chosen(outcome, field, known)) if {
	outcome := data.tables.outcomes[named]
	known := data.tables.fields[type][field]
	known[1] in subject.field_markings
}

# METADATA
# title: A text that tells what paragraphs say is shown as the other fields are, as far as they may be
# custom:
#   owner: all agencies
#   reason: A report must not tell what a paragraph of it may not. Ask the originator's desk.
said(outcome, manner) := handling.by_paragraphs(stated(outcome.read["*"])) if {
	manner == "BY_PARAGRAPHS"
} else := stated(manner)

# METADATA
# title: A field by its own name, else as all the others, else by the ladder of sensitivity
# description: A field that holds a component has no value of its own; its component is decided.
# custom:
#   owner: all agencies
#   reason: A field is shown by its own rule before it is shown by a general one. Ask the gateway desk.
chosen(outcome, field, known) := "CLEAR" if {
	known[2]
} else := outcome.read[field] if {
	outcome.read[field]
} else := "" if {
	field in data.tables.ladder.explicit
} else := outcome.read["*"] if {
	outcome.read["*"]
} else := "CLEAR" if {
	on_ladder(known[0])
}

# METADATA
# title: The role's rung reaches the field's class, and the class is one the ladder may give at all
# custom:
#   owner: all agencies
#   reason: Intelligence and safeguarding are never given by default. Ask the gateway desk.
on_ladder(class) if {
	ranks := data.tables.ladder.ranks
	ranks[class] <= subject.rung
	ranks[class] <= ranks[data.tables.ladder.highest]
}

# METADATA
# title: A manner as the gateway reads it; an empty word denies
stated(manner) := manner if {
	is_string(manner)
	not manner in {"", "BY_PARAGRAPHS"}
}

stated(manner) := [{"when": lib.only(object.get(one, "only", {})), "as": one.as} | some one in manner] if {
	is_array(manner)
}

# METADATA
# title: The permission to look at each field in other ways than showing it
# custom:
#   owner: all agencies
#   reason: To search by a field tells as much as to read it. Ask the gateway desk.
agreed_uses(named, type, whose, uses) := {use: fields |
	some use, asked in uses
	fields := [field | some field in asked; may_use(named, type, whose, use, field)]
	count(fields) > 0
}

# METADATA
# title: A use is listed for the type, not taken back by the outcome, and its component is shown
# custom:
#   owner: all agencies
#   reason: To search by a field tells as much as to read it. Ask the gateway desk.
may_use(named, type, whose, use, field) if {
	field in data.tables.uses[type][use]
	not field in object.get(data.tables.outcomes[named], ["not_uses", use], [])
	component_shown(type, whose, field)
}

# METADATA
# title: A field inside a component may be used only where the component is not silent
# custom:
#   owner: all agencies
#   reason: What is silent must not answer to a search. No desk can change it.
component_shown(_, _, field) if not contains(field, ".")

component_shown(type, whose, field) if {
	component := split(field, ".")[0]
	holds := data.tables.fields[type][component][2]
	inner := outcome("", concat(".", [type, component]), holds, whose)
	data.tables.outcomes[inner].show != "silent"
}
