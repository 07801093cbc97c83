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
required contains notice(id, "SILENT_MATCH", silent, "", {resource.agency}, data.tables.casework.tripwire_due_s) if {
	not subject.unattended
	silent := [lib.eq("silent", true), rows.retained]
	some id in fields.fetches
	resource := input.resources[id]
	wired(resource.agency, resource.entity)
	resource.agency in owners.consenting
	count(rows.overt(fields.side(resource.agency))) > 0
}

# METADATA
# title: Who placed a discreet alert or marker learns of a question that met its record
# description: >-
#   Where the outcome of the component keeps discreet ones back. Which of them the officer may see all
#   the same the gateway leaves out.
# custom:
#   owner: all agencies
#   reason: Who watches somebody must know that others are about to meet them.
required contains notice(id, "SILENT_MATCH", discreet, by, placers(resource.entity), data.tables.casework.tripwire_due_s) if {
	not subject.unattended
	discreet := [lib.eq("discreet", true)]
	some id, named in fields.outcome_name
	fields.root[id] != id
	data.tables.outcomes[named].only.discreet == [false]
	resource := input.resources[id]
	by := data.tables.casework.placed_by[resource.entity]
	resource.agency in owners.consenting
}

# METADATA
# title: An agency's row of `tripwires` lists a kind of record or component, or all of them
# custom:
#   owner: all agencies
#   reason: An agency says what it wants to be told of. Ask the owner's desk.
wired(agency, type) if {
	some listed in data.tables.casework.tripwires[agency]
	listed in {type, "*"}
}

# METADATA
# title: The agencies that want to learn of what they placed
# custom:
#   owner: all agencies
#   reason: Whoever placed an alert answers for it. Ask the owner's desk.
placers(type) := {agency | some agency, _ in data.tables.casework.tripwires; wired(agency, type)}

# METADATA
# title: An owner learns of each record of a victim or a witness that a lowered firewall shows
# custom:
#   owner: all agencies
#   reason: Who answers for a victim must be able to warn them. No desk can change it.
required contains notice(id, "VICTIM_SHOWN", victims, "", {input.resources[id].agency}, firewall.setting.due_s) if {
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
required contains notice(id, "RECORD_SHOWN", [handling.telling], "", {resource.agency}, data.tables.handling.notify_due_s) if {
	not subject.unattended
	some id in fields.fetches
	data.tables.outcomes[fields.outcome_name[id]].show == "records"
	resource := input.resources[id]
	fields.side(resource.agency) == "other"
	resource.agency in owners.consenting
}

# METADATA
# title: That a desk is told of what is found of these rows, and another in time
# description: The holder's; for elements that of the agency that the field `by` names, where it is told.
# custom:
#   owner: all agencies
#   reason: A notice that names no desk reaches nobody. Ask the gateway desk.
notice(id, about, these, by, told, due_s) := {"type": "notify_owner", "attributes": {
	"about": about,
	"agency": holder,
	"resource": id,
	"rows": lib.all_of(these),
	"by": by,
	"desks": {agency: desks[agency] | some agency in (told | {holder})},
	"due_s": due_s,
}} if {
	holder := input.resources[id].agency
	desks[holder]
}

# METADATA
# title: The desk of each agency, and the one that is told when it does not answer in time
# custom:
#   owner: all agencies
#   reason: Somebody is awake when a life depends on it. Ask the gateway desk.
desks := {agency: {"desk": row.desk, "on_call": lib.on_call(row.desk)} | some agency, row in data.tables.agencies; row.desk}

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
# title: The most intrusive questions are answered once others have seen that they were recorded
# description: By a use of a field, by the reason given, or because the glass was broken.
# custom:
#   owner: all agencies
#   reason: Who looked into faces must not be able to make it undone. No desk can change it.
required contains {"type": "witnessed", "attributes": {"within_s": row.within_s}} if {
	row := data.tables.obligations.witnessed
	seen(row)
}

# METADATA
# title: By what others must have seen
# custom:
#   owner: all agencies
#   reason: Who looked into faces must not be able to make it undone. No desk can change it.
seen(row) if fresh(row)

seen(row) if {
	row.break_glass
	input.context.break_glass
}

# METADATA
# title: Whoever breaks the glass is looked at at once, whatever is found
# description: It widens nothing. The desk of the asker's own agency is told before anything is asked.
# custom:
#   owner: all agencies
#   reason: Who says that a life depends on it is asked about it afterwards. No desk can change it.
required contains {"type": "break_glass", "attributes": object.union(
	{"agency": input.subject.agency, "due_s": data.tables.obligations.break_glass.due_s},
	desks[input.subject.agency],
)} if {
	input.context.break_glass
}

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
