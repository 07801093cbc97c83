package gateway.firewall_test

import data.gateway
import data.gateway.lib
import data.gateway.questions_test as q

no_victims := lib.eq("victim", false)

enforcement(purpose) := q.asked("immigration_enforcement", "BID", purpose, q.fetch("NMC", "Person", ["sex"], {}))

control := enforcement("IMMIGRATION_CONTROL")

# A setting and what the agencies have allowed it to be lowered to.
switched(setting, lowered_by) := object.union(data.tables.switches, {
	"firewall": setting,
	"firewall_lowered_by": lowered_by,
})

by(question, setting, lowered_by) := decision if {
	decision := gateway.decision with input as question with data.tables.switches as switched(setting, lowered_by)
}

notices(decision) := {one.attributes.about |
	some one in decision.obligations
	one.type == "notify_owner"
	one.attributes.about != "RECORD_SHOWN"
}

test_the_firewall_hides_victims_from_immigration_control if {
	up := gateway.decision with input as control
	no_victims in up.resources.f0.rows.value
	not up.resources.f0.beside
	count(notices(up)) == 0
	border := gateway.decision with input as enforcement("BORDER_SECURITY")
	not no_victims in border.resources.f0.rows.value
}

test_a_setting_that_the_agencies_have_not_allowed_is_the_wall if {
	wall := gateway.decision with input as control
	every setting in {"firewall", "protocol", "notify", "off", ""} {
		by(control, setting, []) == wall
		by(control, setting, ["another"]) == wall
	}
	by(control, "off", ["off"]) == wall
}

test_by_protocol_a_victims_record_is_a_hit_for_the_desk_and_nothing_else if {
	told := by(control, "protocol", ["protocol"]).resources.f0
	no_victims in told.rows.value
	told.beside.note == {
		"rule": "Person:firewall",
		"text": data.tables.switches.firewall_settings.protocol.note.text,
		"desk": "public-protection",
		"action": "call",
	}
	victims := told.beside.rows.value
	lib.eq("victim", true) in victims
	not no_victims in victims
	every one in told.rows.value {
		one in array.concat(victims, [no_victims])
	}
	wall := gateway.decision with input as control
	object.remove(told, ["beside"]) == wall.resources.f0
	count(notices(by(control, "protocol", ["protocol"]))) == 0
}

test_by_protocol_only_what_the_firewall_stands_before_is_told_of if {
	question := enforcement("BORDER_SECURITY")
	by(question, "protocol", ["protocol"]) == gateway.decision with input as question
	parts := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", q.person("NMC", "names", "PersonName", ["full"]))
	not by(parts, "protocol", ["protocol"]).resources["f0.names"].beside
	withheld := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", q.fetch("NMC", "Link", ["kind"], {}))
	by(withheld, "protocol", ["protocol"]).resources.f0 == {"show": "silent"}
	kept := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", q.fetch("NMC", "Sighting", ["when"], {}))
	object.keys(by(kept, "protocol", ["protocol"]).resources.f0) == {"notes"}
}

test_by_protocol_an_agency_keeps_back_what_it_keeps_back if {
	question := object.union(control, {})
	only_ours := {"f0": lib.eq("marking", "OFFICIAL")}
	decision := gateway.decision with input as question
		with data.tables.switches as switched("protocol", ["protocol"])
		with data.agencies.nmc.rows as only_ours
	lib.eq("marking", "OFFICIAL") in decision.resources.f0.rows.value
	lib.eq("marking", "OFFICIAL") in decision.resources.f0.beside.rows.value
	still := gateway.decision with input as question
		with data.tables.switches as switched("protocol", ["protocol"])
		with data.agencies.nmc.silence as {"f0"}
	still.resources.f0 == {"show": "silent"}
}

test_by_protocol_a_question_may_answer_with_a_hit_and_is_charged_for_it if {
	# as if owners set no conditions, by which any record may be a hit
	unbound := object.remove(data.tables.fields.Person, ["handling"])
	lowered := by(control, "protocol", ["protocol"]) with data.tables.fields.Person as unbound
	"hits" in {one.attributes.name | some one in lowered.obligations; one.type == "budget"}
	up := by(control, "firewall", []) with data.tables.fields.Person as unbound
	not "hits" in {one.attributes.name | some one in up.obligations; one.type == "budget"}
}

test_by_notify_a_victims_record_answers_and_its_owner_is_told if {
	decision := by(control, "notify", ["notify"])
	not no_victims in decision.resources.f0.rows.value
	not decision.resources.f0.beside
	some one in decision.obligations
	one.type == "notify_owner"
	one.attributes.about == "VICTIM_SHOWN"
	one.attributes.desks == {"NMC": {"desk": "nmc-bureau", "on_call": "gateway"}}
	one.attributes.due_s == data.tables.switches.firewall_settings.notify.due_s
	lib.eq("victim", true) in one.attributes.rows.value
	every condition in decision.resources.f0.rows.value {
		condition in one.attributes.rows.value
	}
}

test_by_notify_nobody_is_told_of_what_is_not_shown if {
	border := enforcement("BORDER_SECURITY")
	not "VICTIM_SHOWN" in notices(by(border, "notify", ["notify"]))
	silent := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", q.fetch("NMC", "Incident", ["when"], {}))
	not "VICTIM_SHOWN" in notices(by(silent, "notify", ["notify"]))
}

# Without somebody to tell, none is shown: an owner without a desk, a setting without a time, and the
# gateway itself, which asks without telling anybody.
test_by_notify_nothing_is_shown_that_nobody_can_be_told_of if {
	lowered := switched("notify", ["notify"])
	deskless := gateway.decision with input as control
		with data.tables.switches as lowered
		with data.tables.agencies.NMC as {"name": "Northmarch Constabulary"}
	no_victims in deskless.resources.f0.rows.value
	timeless := gateway.decision with input as control
		with data.tables.switches as object.union(lowered, {"firewall_settings": {"notify": {"victims": "shown", "due_s": 0}}})
	no_victims in timeless.resources.f0.rows.value
	unattended := gateway.decision with input as control
		with data.tables.switches as lowered
		with data.tables.roles.immigration_enforcement.unattended as true
	no_victims in unattended.resources.f0.rows.value
	noteless := gateway.decision with input as control
		with data.tables.switches as switched("protocol", ["protocol"])
		with data.tables.switches.firewall_settings.protocol as {"victims": "hit"}
	not noteless.resources.f0.beside
}

test_safeguarding_is_silent_by_every_setting_whatever_the_matrix_says if {
	question := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", q.person("BID", "safeguarding", "SafeguardFlag", ["kind"]))
	every setting in {"firewall", "protocol", "notify"} {
		decision := gateway.decision with input as question
			with data.tables.switches as switched(setting, [setting])
			with data.tables.matrix["Person.safeguarding"].immigration_enforcement as {"*": "clear"}
		decision.resources["f0.safeguarding"] == {"show": "silent"}
	}
	shown := gateway.decision with input as q.with_context(question, {"purpose": "OFFICER_SAFETY"})
		with data.tables.matrix["Person.safeguarding"].immigration_enforcement as {"*": "clear"}
	shown.resources["f0.safeguarding"].show == "records"
}

test_without_a_whole_switch_nothing_is_decided if {
	every missing in ["firewall", "firewall_purposes", "firewall_silent", "firewall_told"] {
		broken := object.remove(data.tables.switches, [missing])
		not gateway.decision with input as control with data.tables.switches as broken
	}
}

# Section 8.5's other side: who protects a suspect that is a victim as well is told of by a hit.
test_under_every_crime_purpose_flags_are_told_of if {
	crime := {name | some name, row in data.tables.purposes; row.crime; not row.reaches}
	held := {[role, purpose] |
		some role, row in data.tables.roles
		row.queries
		not row.unattended
		some purpose in row.purposes
		purpose in crime
	}
	count(held) == 22
	every pair in held {
		[role, purpose] := pair
		agency := data.tables.roles[role].agencies[0]
		every owner in {"NMC", "SCP", "NCB", "BID"} {
			question := q.asked(role, agency, purpose, q.person(owner, "safeguarding", "SafeguardFlag", ["kind"]))
			decision := gateway.decision with input as question
			shown := decision.resources["f0.safeguarding"]
			is_told(shown, owner == agency)
		}
	}
}

flags_of(purpose, word, told, crime) := decision.resources["f0.safeguarding"] if {
	question := q.asked("bureau_officer", "NCB", purpose, q.person("SCP", "safeguarding", "SafeguardFlag", ["kind"]))
	decision := gateway.decision with input as question
		with data.tables.matrix["Person.safeguarding"].bureau_officer as {"*": word}
		with data.tables.switches.firewall_told as told
		with data.tables.purposes as object.union(data.tables.purposes, {purpose: {"crime": crime}})
}

# The column `crime` says for which purposes, the switch which places, and no name in a rule.
test_what_the_matrix_would_have_silent_is_told_of_under_a_crime_purpose_alone if {
	told := {"Person.safeguarding": "protection_hit"}
	hit := flags_of("APPREHEND", "silent", told, true)
	hit.show == "hit"
	is_told(hit, false)
	flags_of("APPREHEND", "silent", told, false) == {"show": "silent"}
	flags_of("PROTECT_VULNERABLE", "silent", told, false) == {"show": "silent"}
	flags_of("PROTECT_VULNERABLE", "silent", told, true).show == "hit"
	flags_of("APPREHEND", "silent", {}, true) == {"show": "silent"}
	flags_of("APPREHEND", "clear", told, true).show == "records"
	flags_of("APPREHEND", "withheld", told, true).notes[""].rule == "Person.safeguarding:withheld"
}

test_the_wall_is_silent_also_before_a_purpose_that_is_a_crime_purpose if {
	question := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", q.person("SCP", "safeguarding", "SafeguardFlag", ["kind"]))
	decision := gateway.decision with input as question with data.tables.purposes.IMMIGRATION_CONTROL.crime as true
	decision.resources["f0.safeguarding"] == {"show": "silent"}
}

# Whoever gets a hit reads whom to call.
is_told(shown, _) if {
	shown.show == "hit"
	shown.notes[""].desk == "public-protection"
	shown.notes[""].action == "call"
}

is_told(shown, _) if {
	shown.show == "records"
	some one in shown.read.kind
	one.as == "HIT_ONLY"
	shown.notes[""].desk == "public-protection"
}

# Of its own flags an agency may show its people more.
is_told(shown, true) if shown.read.kind == "CLEAR"
