# METADATA
# title: Why a field is shown as it is
# description: >-
#   For `portcullis policy explain`. The decision is the rules' own; this only finds the row of a
#   table, or the rule of an agency, that it came from.
# schemas:
#   - input: schema.input
package explain

import data.gateway
import data.gateway.fields
import data.gateway.firewall
import data.gateway.owners
import data.gateway.refusals
import data.gateway.subject

# METADATA
# title: The decision, and what decided each resource ("") and each field asked for
# entrypoint: true
told := {
	"decision": gateway.decision,
	"sources": {id: {field: sources(id, field) | some field in array.concat([""], resource.read)} |
		some id, resource in input.resources
	},
}

# METADATA
# title: Files of policies/ and the way to the key in each, in the order in which the rules look
sources(id, field) := [["tables/refusals/data.json", [refusals.name]]] if {
	refusals.name
} else := [["tables/switches/data.json", ["firewall_silent"]]] if {
	fields.name[id] in firewall.silenced
} else := said(id, "silence") if {
	id in owners.silent
} else := said(id, "withhold") if {
	owners.withheld[id]
} else := [[file(lower(input.resources[id].agency)), ["consents"]]] if {
	not input.resources[id].agency in owners.consenting
} else := [["tables/purposes/data.json", [input.context.purpose, "reaches"]]] if {
	not fields.reached(id)
} else := [["tables/release/data.json", ["default_note"]]] if {
	not fields.outcome_name[id]
} else := said(id, "hide") if {
	owners.hidden[id][field]
} else := array.concat(cell(id), array.concat(floor(id), meaning(id, field)))

# METADATA
# title: The agency's own rule
said(id, rule) := [[file(agency), [rule]] |
	some agency in owners.parties
	owners.has_say(agency, id)
	id in names(data.agencies[agency][rule])
]

# METADATA
# title: Whatever an agency's rule names, as a set
names(ids) := ids if is_set(ids)

names(ids) := object.keys(ids) if is_object(ids)

# METADATA
# title: Where an agency's rules lie
file(agency) := sprintf("agencies/%s/%s.rego", [agency, agency])

# METADATA
# title: The matrix's cell, by asking the rules for each place in their order
cell(id) := [["tables/matrix/data.json", keys[0]]] if {
	whose := fields.side(input.resources[id].agency)
	keys := [array.concat([place], keyed(place, whose)) |
		some place in places(id)
		fields.placed(place, whose)
	]
}

# METADATA
# title: The switch that lifts a silent cell under a crime purpose
floor(id) := [["tables/switches/data.json", ["firewall_told", place]] |
	resource := input.resources[id]
	place := fields.name[id]
	named := fields.settled(fields.word(object.get(fields.via, fields.root[id], ""), place, resource.entity, fields.side(resource.agency)))
	named != fields.outcome_name[id]
]

# METADATA
# title: The places that the matrix may have for a resource, the most particular first
places(id) := array.concat([concat(">", [via, fields.name[id]]) | via := fields.via[fields.root[id]]], [
	fields.name[id],
	input.resources[id].entity,
])

# METADATA
# title: The column, the purpose and, in a cell of two words, whose data
keyed(place, whose) := array.concat(found[0], [whose | is_object(data.tables.matrix[place][found[0][0]][found[0][1]])]) if {
	found := [[column, purpose] |
		some [column, purpose] in [[subject.column, input.context.purpose], [subject.column, "*"], ["*", "*"]]
		data.tables.matrix[place][column][purpose]
	]
}

# METADATA
# title: What the cell's word means for the field
meaning(id, field) := [["tables/clearances/data.json", [subject.clearance, "fields"]]] if {
	data.tables.outcomes[fields.outcome_name[id]].show == "records"
	not data.tables.fields[input.resources[id].entity][field][1] in subject.field_markings
} else := [["tables/ladder/data.json", [ladder(field)]]] if {
	outcome := data.tables.outcomes[fields.outcome_name[id]]
	outcome.show == "records"
	by_ladder(outcome, field)
} else := [["tables/outcomes/data.json", array.concat([fields.outcome_name[id]], entry(id, field))]]

# METADATA
# title: No entry of the word covers the field
by_ladder(outcome, field) if {
	not outcome.read[field]
	field in data.tables.ladder.explicit
}

by_ladder(outcome, field) if {
	not outcome.read[field]
	not outcome.read["*"]
}

# METADATA
# title: The part of the table that has the say
ladder(field) := "explicit" if {
	field in data.tables.ladder.explicit
} else := "ranks"

# METADATA
# title: The entry of the word for the field, if it has one
entry(id, field) := ["read", key] if {
	outcome := data.tables.outcomes[fields.outcome_name[id]]
	outcome.show == "records"
	key := [one | some one in [field, "*"]; outcome.read[one]][0]
} else := []
