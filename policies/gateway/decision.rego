# METADATA
# title: The decision
# description: The one entry point. What it does not mention is denied by the gateway.
package gateway

import data.gateway.fields
import data.gateway.lib
import data.gateway.obligations
import data.gateway.owners
import data.gateway.refusals
import data.gateway.rows
import data.gateway.subject

# METADATA
# title: A refusal, or what may be seen of each resource
# entrypoint: true
decision := {
	"version": 1,
	"serial": data.tables.release.serial,
	"resources": {},
	"obligations": [],
	"refuse": refusals.refusal,
} if {
	refusals.refusal
} else := {
	"version": 1,
	"serial": data.tables.release.serial,
	"cache_s": data.tables.release.cache_s,
	"resources": {id: ruling(id) | some id, _ in input.resources},
	"obligations": [one | some one in obligations.required],
} if {
	not refusals.name
	rows.switched
	subject.acting
}

# METADATA
# title: Silent, withheld or shown; the owner's and the requester's say can only take away
ruling(id) := {"show": "silent"} if {
	silenced(id)
} else := {"notes": {"": owners.withheld[id]}} if {
	owners.withheld[id]
} else := {
	"show": fields.outcome[id].show,
	"limit": limit(fields.outcome[id], input.resources[id]),
	"rows": lib.all_of(array.concat(rows.rows[id], owners.narrowed[id])),
	"uses": fields.agreed_uses[id],
	"read": object.remove(object.get(fields.manners, id, {}), owners.hidden[id]),
	"notes": notes(id),
} if {
	fields.outcome[id].show
	owners.consents[id]
} else := {"notes": withheld_notes(id)}

silenced(id) if fields.outcome[id].show == "silent"

silenced(id) if id in owners.silent

# METADATA
# title: Behind the firewall these say nothing, whatever the matrix says
silenced(id) if {
	rows.firewalled
	fields.name[id] in data.tables.switches.firewall_silent
}

# METADATA
# title: As many as asked for, within the table's limit; of a hit one
limit(outcome, _) := data.tables.limits.hit if outcome.show == "hit"

limit(outcome, resource) := min([resource.limit, data.tables.limits.records]) if {
	outcome.show != "hit"
}

# METADATA
# title: The standing note of a resource, if its outcome has one
notes(id) := {"": note(id, fields.outcome[id].note)} if {
	fields.outcome[id].note
} else := {}

# METADATA
# title: No "no" without a desk and a next step
withheld_notes(id) := {"": note(id, fields.outcome[id].note)} if {
	fields.outcome[id].note
	owners.consents[id]
} else := {"": note(id, data.tables.release.default_note)}

note(id, said) := {
	"rule": rule(id),
	"text": said.text,
	"desk": desk(said.desk, input.resources[id]),
	"action": said.action,
}

rule(id) := concat(":", [fields.name[id], fields.outcome_name[id]]) if {
	fields.outcome_name[id]
} else := concat(":", [fields.name[id], "unlisted"])

# METADATA
# title: The owner's own desk where the table says "owner"
desk(said, resource) := data.tables.agencies[resource.agency].desk if {
	said == "owner"
} else := said if {
	said != "owner"
}
