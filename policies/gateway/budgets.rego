# METADATA
# title: How much one officer may ask
# description: >-
#   The rows of the table that a question is charged to. The gateway counts, slows down, and refuses
#   until a supervisor has released more; nothing here depends on what is found.
package gateway.budgets

import data.gateway.fields
import data.gateway.firewall
import data.gateway.handling
import data.gateway.lib
import data.gateway.subject

# METADATA
# title: The budgets of a question, as obligations
# custom:
#   owner: all agencies
#   reason: A gateway that answers everything quickly is a way to copy a database. Ask a supervisor, or the desk of one's own agency.
charged contains {"type": "budget", "attributes": {
	"name": name,
	"title": row.title,
	"unit": row.unit,
	"window_s": row.window_s,
	"slow_after": row.slow_after,
	"slow_ms": data.tables.budgets.slow_ms,
	"most": row.most,
	"agency": input.subject.agency,
	"desk": desk,
	"on_call": lib.on_call(desk),
	"due_s": data.tables.budgets.told_due_s,
}} if {
	not subject.unattended
	desk := data.tables.agencies[input.subject.agency].desk
	some name, row in data.tables.budgets.kinds
	counts(row)
}

# METADATA
# title: Every question is counted
# custom:
#   owner: all agencies
#   reason: What may be copied in bulk is counted by what it could tell. Ask the gateway desk.
counts(row) if row.when == "always"

# METADATA
# title: A search by face
counts(row) if {
	row.when == "face"
	lib.asks_by_face
}

# METADATA
# title: A question that may answer with a hit, if only for some records, which is a disclosure too
counts(row) if {
	row.when == "hit"
	some named in fields.outcomes
	data.tables.outcomes[named].show == "hit"
}

counts(row) if {
	row.when == "hit"
	some named in fields.outcomes
	some manner in data.tables.outcomes[named].read
	hits(manner)
}

counts(row) if {
	row.when == "hit"
	firewall.told
}

counts(row) if {
	row.when == "hit"
	some id, named in fields.outcome_name
	data.tables.outcomes[named].show == "records"
	resource := input.resources[id]
	fields.side(resource.agency) == "other"
	handling.bound(resource.entity) # whatever the outcome, its owner may have set conditions
}

# METADATA
# title: A manner, or one of its cases, that tells of a record and does not show it
hits(manner) if manner == "HIT_ONLY"

hits(manner) if {
	some one in fields.stated(manner)
	one.as == "HIT_ONLY"
}

# METADATA
# title: A question that reads a field of the row's class
counts(row) if {
	row.when == "class"
	row.class in lib.classes
}
