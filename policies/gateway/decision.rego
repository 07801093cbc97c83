# METADATA
# title: The decision
# description: The one entry point. What it does not mention is denied by the gateway.
# scope: subpackages
# schemas:
#   - input: schema.input
#   - data.tables.budgets: schema.tables.budgets
#   - data.tables.obligations: schema.tables.obligations
#   - data.tables.casework: schema.tables.casework
#   - data.tables.handling: schema.tables.handling
#   - data.tables.ladder: schema.tables.ladder
#   - data.tables.limits: schema.tables.limits
#   - data.tables.release: schema.tables.release
#   - data.tables.switches: schema.tables.switches
package gateway

import data.gateway.fields
import data.gateway.firewall
import data.gateway.handling
import data.gateway.lib
import data.gateway.obligations
import data.gateway.owners
import data.gateway.refusals
import data.gateway.releases
import data.gateway.rows
import data.gateway.subject

# METADATA
# title: A refusal, or what may be seen of each resource
# description: Asked to confirm, only the serial under which earlier decisions still hold.
# entrypoint: true
# custom:
#   owner: all agencies
#   reason: Nothing is seen that was not decided. No desk can change it.
decision := {
	"version": 1,
	"serial": data.tables.release.serial,
	"resources": {},
	"obligations": [],
} if {
	input.action.name == "confirm"
} else := {
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
	"resources": object.union(
		object.remove(common, owners.touched),
		{id: ruling(id, common[id]) | some id in owners.touched},
	),
	"obligations": [one | some one in obligations.required],
} if {
	not refusals.name
	firewall.whole
	subject.acting
}

# METADATA
# title: What agencies say of a resource can only take away from what the common rules show
# custom:
#   owner: all agencies
#   reason: Each agency answers for its own data, and may keep back what others would show. Ask the owner's desk.
ruling(id, shown) := {"show": "silent"} if {
	silent(id, shown)
} else := {"notes": {"": owners.withheld[id]}} if {
	owners.withheld[id]
} else := narrowed(id, shown) if {
	input.resources[id].agency in owners.consenting
} else := unlisted(fields.name[id], input.resources[id].agency)

# METADATA
# title: Answered exactly as if nothing were held
# custom:
#   owner: all agencies
#   reason: That a record exists can endanger somebody. No desk can change it.
silent(_, shown) if shown.show == "silent"

silent(id, _) if id in owners.silent

# METADATA
# title: What the common rules show of each resource, and what a desk has released of it besides
# custom:
#   owner: all agencies
#   reason: What is shown, and to whom a desk has opened more, was agreed by all agencies. Ask the gateway desk.
common := object.union(
	object.remove(agreed, releases.touched),
	{id: with_releases(id, agreed[id]) | some id in releases.touched},
)

# METADATA
# title: What is silent stays so
# custom:
#   owner: all agencies
#   reason: No desk can release what must not be told of. No desk can change it.
with_releases(id, shown) := shown if {
	shown.show == "silent"
} else := releases.widened(id, shown)

# METADATA
# title: What the common rules show of each resource
# custom:
#   owner: all agencies
#   reason: Who sees what for which purpose was agreed by all agencies. Ask the gateway desk.
agreed := object.union(by_words, {id: {"notes": {"*": told}} | some id, told in on_hits})

# METADATA
# title: The same as the matrix has it
# custom:
#   owner: all agencies
#   reason: Who sees what for which purpose was agreed by all agencies, cell by cell. Ask the gateway desk.
by_words := {id: shown |
	some id, place in fields.name
	resource := input.resources[id]
	outcome := object.get(fields.outcome_name, id, "")
	shown := seen(outcome, place, resource.agency, resource.entity, resource.limit, resource.read, resource.uses)
}

# METADATA
# title: Of one resource; behind the firewall some places say nothing, whatever the matrix says
# custom:
#   owner: all agencies
#   reason: What must not be told is not told by a refusal either. No desk can change it.
seen(named, place, agency, type, limit, read, uses) := {"show": "silent"} if {
	data.tables.outcomes[named].show == "silent"
} else := {"show": "silent"} if {
	firewall.silenced[place]
} else := object.union(
	shape(named, place, fields.side(agency), type, limit, read, uses, has_desk(agency)),
	object.union({"notes": notes(named, place, agency)}, beside(named, place, agency)),
) if {
	data.tables.outcomes[named]
} else := unlisted(place, agency)

# METADATA
# title: An owner whose desk can be told of something
# custom:
#   owner: all agencies
#   reason: Nobody is promised a notice that no desk would get. Ask the gateway desk.
default has_desk(_) := false

has_desk(agency) if data.tables.agencies[agency].desk

# METADATA
# title: The next step to a record that is a hit, by its kind
# custom:
#   owner: all agencies
#   reason: A hit without a next step helps nobody. Ask the owner's desk.
asked_by(entity) := "requestRelease" if {
	data.tables.casework.releasable[entity]
} else := "call"

# METADATA
# title: Records that are not shown, of which only is told that there is one, and whom to call
# custom:
#   owner: all agencies
#   reason: Who needs protection is spoken of by those who protect them. Ask the public protection desk.
beside(named, place, agency) := {"beside": {
	"rows": lib.all_of(rows.victims(named, fields.side(agency))),
	"note": note(firewall.setting.note, concat(":", [place, "firewall"]), agency),
}} if {
	firewall.told
	form(place) == "record"
	data.tables.outcomes[named].show
} else := {}

# METADATA
# title: Nobody listed it
# custom:
#   owner: all agencies
#   reason: What nobody thought of is not shown. Ask the gateway desk.
unlisted(place, agency) := {"notes": {"": note(data.tables.release.default_note, rule, agency)}} if {
	rule := concat(":", [place, "unlisted"])
}

# METADATA
# title: The same for every agency that is asked the same, so that it is worked out once
# custom:
#   owner: all agencies
#   reason: One decision shows the same of everybody's data. Ask the gateway desk.
shape(named, place, side, type, limit, read, uses, reachable) := {
	"show": outcome.show,
	"limit": capped(outcome, limit),
	"rows": lib.all_of(rows.conditions(named, form(place), side)),
	"uses": fields.agreed_uses(named, type, side, uses),
	"whole": handling.whole(side, type, reachable),
	"read": fields.manners(named, type, read),
	"notes": {"?": usual(named, place)},
} if {
	outcome := data.tables.outcomes[named]
	outcome.show
} else := {"notes": {"?": usual(named, place)}} if {
	data.tables.outcomes[named]
}

# METADATA
# title: What is said of whatever is held back and has no note of its own; its owner is added
# custom:
#   owner: all agencies
#   reason: No "no" goes without somebody to ask. Ask the owner's desk.
usual(named, place) := object.union(data.tables.release.field_note, {"rule": concat(":", [place, named])})

# METADATA
# title: Whether a place is a record or a part of one
form(place) := "component" if {
	contains(place, ".")
} else := "record"

# METADATA
# title: As many as asked for, within the table's limit; of a hit one
# custom:
#   owner: all agencies
#   reason: A hit tells no more than that there is one. No desk can change it.
capped(outcome, _) := data.tables.limits.hit if outcome.show == "hit"

capped(outcome, asked) := min([asked, data.tables.limits.records]) if outcome.show != "hit"

# METADATA
# title: Without the fields an agency keeps back, and with the conditions it adds
# custom:
#   owner: all agencies
#   reason: Data stay with who answers for them. Ask the desk of the agency named.
narrowed(id, ruling) := object.union_n([
	object.remove(ruling, ["read", "uses", "whole"]),
	{"uses": still(ruling.uses, object.get(owners.taken_back, id, {}))},
	{"rows": fewer(id, ruling.rows), "read": object.remove(unlined(ruling.read, hidden), hidden)},
	{"whole": unlined({"ref": whole}, hidden).ref | some key, whole in ruling; key == "whole"},
	{"beside": {"rows": fewer(id, told.rows)} | some key, told in ruling; key == "beside"},
	{"notes": {field: kept_back(agencies, "hide") | some field, agencies in owners.hidden[id]; ruling.read[field]}},
	{"notes": {field: kept_back(agencies, "not_uses") |
		some use, fields in owners.taken_back[id]
		some field in input.resources[id].uses[use]
		agencies := fields[field]
		not ruling.read[field]
	}},
]) if {
	ruling.show
	hidden := object.keys(object.get(owners.hidden, id, {}))
} else := ruling

# METADATA
# title: The uses that no agency takes back
still(uses, taken) := {use: kept |
	some use, fields in uses
	kept := [field | some field in fields; not taken[use][field]]
	count(kept) > 0
}

# METADATA
# title: What is said of a field that agencies keep back
# custom:
#   owner: all agencies
#   reason: Who keeps something back says so, and answers for it. Ask the desk of the agency named.
kept_back(agencies, by) := object.union(data.tables.release.field_note, {
	"rule": concat(".", [agency, by]),
	"desk": desk("owner", upper(agency)),
}) if {
	agency := sort(agencies)[0]
}

# METADATA
# title: The rows that an agency's conditions leave
# custom:
#   owner: all agencies
#   reason: Data stay with who answers for them. Ask the owner's desk.
fewer(id, these) := lib.all_of(array.concat(these.value, [one | some one in owners.narrowed[id]]))

# METADATA
# title: Who keeps back the sanitised text keeps back the line that a hit would tell of it
unlined(read, hidden) := read if {
	not "sanitised_text" in hidden
} else := {field: lineless(field, manner) | some field, manner in read}

# METADATA
# title: A manner in which no case tells the sanitised line
lineless(field, manner) := swapped(field, manner) if {
	is_string(manner)
} else := [{"when": one.when, "as": swapped(field, one.as)} | some one in manner]

# METADATA
# title: Without its line a record is a plain hit, a text nothing
swapped(field, word) := word if {
	word != "SANITISED_TEXT"
} else := "HIT_ONLY" if {
	field == "ref"
} else := "NULL"

# METADATA
# title: The note of an outcome, if it has one, standing or where something is held back
# custom:
#   owner: all agencies
#   reason: No "no" goes without somebody to ask. Ask the desk that the note names.
notes(named, place, agency) := object.union({"?": {"desk": desk("owner", agency)}}, {at: told |
	outcome := data.tables.outcomes[named]
	told := note(outcome.note, concat(":", [place, named]), agency)
	some at in object.get(outcome, "note_at", [""])
})

# METADATA
# title: What is said of records or elements that their owner's conditions make hits
# custom:
#   owner: all agencies
#   reason: Who may not read a record may know whom to ask for it. Ask the owner's desk.
on_hits := {id: note(said, concat(":", [place, "handling"]), agency) |
	some type, ids in lib.by_type
	handling.bound(type)
	some id in ids
	data.tables.outcomes[fields.outcome_name[id]].show == "records"
	agency := input.resources[id].agency
	fields.side(agency) == "other"
	place := fields.name[id]
	not place in firewall.silenced
	said := {"text": data.tables.handling.note.text, "desk": "owner", "action": asked_by(split(place, ".")[0])}
}

# METADATA
# title: No "no" without a desk and a next step
# custom:
#   owner: all agencies
#   reason: No "no" goes without somebody to ask. Ask the desk that the note names.
note(said, rule, agency) := {
	"rule": rule,
	"text": said.text,
	"desk": desk(said.desk, agency),
	"action": said.action,
}

# METADATA
# title: The owner's own desk where the table says "owner", if there is one
# custom:
#   owner: all agencies
#   reason: Only who holds data can say more of them. Ask the owner's desk.
desk(said, agency) := said if {
	said != "owner"
} else := data.tables.agencies[agency].desk if {
	has_desk(agency)
} else := data.tables.release.default_note.desk
