# METADATA
# title: What the gateway must do as a condition of what it is allowed
# description: Only what it can carry out; anything else would refuse the question.
package gateway.obligations

import data.gateway.budgets
import data.gateway.fields
import data.gateway.firewall
import data.gateway.handling
import data.gateway.lib
import data.gateway.owners
import data.gateway.rows
import data.gateway.subject

# METADATA
# title: A search by face and a break-glass question need their reason in words
# custom:
#   owner: all agencies
#   reason: The most intrusive questions are accounted for one by one. No desk can change it.
required contains {"type": "require_reason", "attributes": {}} if lib.asks_by_face

required contains {"type": "require_reason", "attributes": {}} if input.context.reason_code == "R12"

# METADATA
# title: An owner learns of a question that would have found a record of theirs that stays silent
# description: For the kinds of records that the owner's row of `tripwires` lists.
# custom:
#   owner: all agencies
#   reason: Silence must not cost an officer's life. No desk can change it.
required contains notice(id, "SILENT_MATCH", silent, data.tables.casework.tripwire_due_s) if {
	not subject.unattended
	silent := [lib.eq("silent", true), rows.retained]
	some id in fields.fetches
	resource := input.resources[id]
	resource.entity in data.tables.casework.tripwires[resource.agency]
	resource.agency in owners.consenting
	count(rows.overt(fields.side(resource.agency))) > 0
}

# METADATA
# title: An owner learns of each record of a victim or a witness that a lowered firewall shows
# custom:
#   owner: all agencies
#   reason: Who answers for a victim must be able to warn them. No desk can change it.
required contains notice(id, "VICTIM_SHOWN", victims, firewall.setting.due_s) if {
	firewall.open
	some id in fields.fetches
	named := fields.outcome_name[id]
	data.tables.outcomes[named].show != "silent"
	victims := rows.victims(named, fields.side(input.resources[id].agency))
}

# METADATA
# title: An owner learns of each record shown that they coded so
# custom:
#   owner: all agencies
#   reason: Who shares on that condition must be able to follow what is done with it. Ask the owner's desk.
required contains notice(id, "RECORD_SHOWN", [handling.telling], data.tables.handling.notify_due_s) if {
	not subject.unattended
	some id in fields.fetches
	data.tables.outcomes[fields.outcome_name[id]].show == "records"
	resource := input.resources[id]
	fields.side(resource.agency) == "other"
	resource.agency in owners.consenting
}

# METADATA
# title: That an owner's desk is told of what is found of these rows, and another in time
# custom:
#   owner: all agencies
#   reason: A notice that names no desk reaches nobody. Ask the gateway desk.
notice(id, about, these, due_s) := {"type": "notify_owner", "attributes": {
	"about": about,
	"agency": agency,
	"resource": id,
	"rows": lib.all_of(these),
	"desk": desk,
	"on_call": on_call(desk),
	"due_s": due_s,
}} if {
	agency := input.resources[id].agency
	desk := data.tables.agencies[agency].desk
}

# METADATA
# title: The desk that is told when another does not answer in time
# custom:
#   owner: all agencies
#   reason: Somebody is awake when a life depends on it. Ask the gateway desk.
on_call(desk) := object.get(data.tables.casework.on_call, desk, data.tables.casework.on_call["*"])

# METADATA
# title: What came of a search is recorded before the next one, and another person agrees to some
# description: Which uses of a field make it such a search is in the table of casework.
# custom:
#   owner: all agencies
#   reason: The most intrusive searches are accounted for, and not one person's alone. No desk can change it.
required contains {"type": duty, "attributes": {"kind": use, "resource": id}} if {
	some duty, uses in data.tables.casework.obliged
	some use in uses
	some id, resource in input.resources
	resource.uses[use]
}

# METADATA
# title: Nobody asks without end
# custom:
#   owner: all agencies
#   reason: What one officer asks in an hour or a day is bounded, and more is a supervisor's to give. No desk can change it.
required contains one if some one in budgets.charged

# METADATA
# title: The most intrusive questions ask for a sign-in that is not long ago
# custom:
#   owner: all agencies
#   reason: A device that was left unlocked must not search faces. No desk can change it.
required contains {"type": "reauthenticate", "attributes": {"max_age_s": row.max_age_s, "acr": row.acr}} if {
	row := data.tables.obligations.reauthenticate
	fresh(row)
}

# METADATA
# title: By a use of a field, or by the reason given
# custom:
#   owner: all agencies
#   reason: A device that was left unlocked must not ask the most intrusive questions. No desk can change it.
fresh(row) if {
	some use in row.uses
	some resource in input.resources
	resource.uses[use]
}

fresh(row) if input.context.reason_code in row.reason_codes

# METADATA
# title: Some records are shown for a time only
# custom:
#   owner: all agencies
#   reason: An image that stays on a device is a copy of it. No desk can change it.
required contains {"type": "time_box", "attributes": {"seconds": row.seconds}} if {
	row := data.tables.obligations.time_box
	some entity in row.entities
	entity in lib.entities
}

# METADATA
# title: What could be photographed from a screen says whose screen it was
# custom:
#   owner: all agencies
#   reason: A picture of a screen is traced to who asked, and so is seldom taken. No desk can change it.
required contains {"type": "watermark", "attributes": {}} if marked

# METADATA
# title: By the kind of record, or by the class of a field
# custom:
#   owner: all agencies
#   reason: A picture of a screen is traced to who asked. No desk can change it.
marked if {
	some entity in data.tables.obligations.watermark.entities
	entity in lib.entities
}

marked if {
	some class in data.tables.obligations.watermark.classes
	class in lib.classes
}
