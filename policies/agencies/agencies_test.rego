package agencies.agencies_test

import data.gateway
import data.gateway.lib
import data.gateway.questions_test as q

ruling(role, agency, purpose, resources, id) := decision.resources[id] if {
	decision := gateway.decision with input as q.asked(role, agency, purpose, resources)
}

flags(agency) := q.person(agency, "safeguarding", "SafeguardFlag", ["kind"])

test_an_owner_without_a_policy_has_agreed_to_nothing if {
	stranger := ruling("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("XYZ", "Vehicle", ["make"], {}), "f0")
	object.keys(stranger) == {"notes"}
	stranger.notes[""].desk == "gateway"
	every agency in ["NMC", "SCP", "BID", "ERU", "NCB", "NIS"] {
		ruling("response_officer", "NMC", "OFFICER_SAFETY", q.fetch(agency, "Vehicle", ["make"], {}), "f0").show == "records"
	}
}

# Whatever the common switch has silent: its word is not the only one.
test_forces_and_bureau_silence_flags_behind_the_firewall_whatever_the_matrix_says if {
	every agency in ["NMC", "SCP", "NCB"] {
		question := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", flags(agency))
		decision := gateway.decision with input as question
			with data.tables.matrix["Person.safeguarding"].immigration_enforcement as {"*": "clear"}
			with data.tables.switches.firewall_silent as []
		decision.resources["f0.safeguarding"] == {"show": "silent"}
		safety := gateway.decision with input as q.with_context(question, {"purpose": "OFFICER_SAFETY"})
			with data.tables.matrix["Person.safeguarding"].immigration_enforcement as {"*": "clear"}
		safety.resources["f0.safeguarding"].show == "records"
	}
}

test_flags_are_silent_behind_the_firewall_alone if {
	every role, agency in {"immigration_enforcement": "BID", "border_force": "BID", "arrival_officer": "SCP"} {
		every owner in ["NMC", "SCP", "NCB"] {
			decision := gateway.decision with input as q.asked(role, agency, "BORDER_SECURITY", flags(owner))
			decision.resources["f0.safeguarding"].show == "hit"
		}
	}
}

# Of a suspect who is a victim as well border officers are told by a hit, of other victims nothing.
test_border_work_is_told_of_flags_on_both_sides_alone if {
	every role in ["immigration_enforcement", "border_force"] {
		decision := gateway.decision with input as q.asked(role, "BID", "BORDER_SECURITY", flags("SCP"))
		decision.resources["f0.safeguarding"].rows.value == [lib.eq("kind", "VICTIM")]
	}
	arrival := gateway.decision with input as q.asked("arrival_officer", "SCP", "BORDER_SECURITY", flags("SCP"))
	arrival.resources["f0.safeguarding"].rows != lib.only({"kind": ["VICTIM"]})
}

immigration := q.person("BID", "immigration", "ImmigrationStatus", ["status", "case_state"])

test_bid_keeps_the_case_state_from_northmarch if {
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", immigration)
	decision := gateway.decision with input as question
		with data.tables.matrix["Person.immigration"].response_officer as {"*": "clear"}
	decision.resources["f0.immigration"].read == {"status": "CLEAR"}
	ruling("bureau_officer", "NCB", "OFFICER_SAFETY", immigration, "f0.immigration").read == {"status": "CLEAR", "case_state": "CLEAR"}
}

test_eru_keeps_names_of_groups_with_the_trained if {
	question := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("ERU", "OrganisedGroup", ["name", "region"], {}))
	trained := gateway.decision with input as question
	trained.resources.f0.read == {"name": "CLEAR", "region": "CLEAR"}
	untrained := gateway.decision with input as q.with_subject(question, {"training": []})
	untrained.resources.f0.read == {"region": "CLEAR"}
}

test_eru_reports_do_not_go_abroad if {
	question := q.asked("foreign_liaison", "PARTNER", "OIC_INVESTIGATION", q.fetch("ERU", "IntelligenceReport", ["urn"], {}))
	decision := gateway.decision with input as question
		with data.tables.matrix.IntelligenceReport.foreign_liaison as {"*": "clear"}
	decision.resources.f0.notes[""].rule == "eru.partners"
	not decision.resources.f0.show
	home := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", question.resources)
	count(data.agencies.eru.withhold) == 0 with input as home
}

test_nis_ranks_faces_for_operators_only if {
	question := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("NIS", "FaceCandidate", ["rank"], {"face": ["likeness"]}))
	trained := gateway.decision with input as question
	trained.resources.f0.read == {"rank": "CLEAR"}
	untrained := gateway.decision with input as q.with_subject(question, {"training": []})
	untrained.resources.f0.notes[""].rule == "nis.operators"
}

test_the_requesters_agency_narrows_too if {
	question := q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", q.fetch("NMC", "Vehicle", ["make", "model"], {}))
	decision := gateway.decision with input as question with data.agencies.eru.hide as {"f0": {"make"}}
	decision.resources.f0.read == {"model": "CLEAR"}
	withheld := gateway.decision with input as question
		with data.agencies.eru.withhold as {"f0": {"rule": "r", "text": "t", "desk": "eru-intel", "action": "call"}}
	object.keys(withheld.resources.f0) == {"notes"}
}

test_no_agency_can_widen if {
	denied := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Sighting", ["camera"], {}))
	decision := gateway.decision with input as denied
		with data.agencies.nmc.rows as {"f0": data.gateway.lib.all_of([])}
		with data.agencies.nmc.hide as {"f0": set()}
	object.keys(decision.resources.f0) == {"notes"}
}

test_an_agency_can_narrow_without_hiding if {
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("SCP", "Vehicle", ["make"], {}))
	stolen := data.gateway.lib.eq("stolen", true)
	decision := gateway.decision with input as question with data.agencies.scp.rows as {"f0": stolen}
	stolen in decision.resources.f0.rows.value
	decision.resources.f0.read == {"make": "CLEAR"}
}

# One question to two agencies: what the one says of the other's data is nothing.
two := object.union(
	q.fetch("SCP", "Vehicle", ["make"], {}),
	{"f1": q.fetch("BID", "Vehicle", ["make"], {}).f0},
)

test_an_agency_has_no_say_on_anothers_data if {
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", two)
	stolen := data.gateway.lib.eq("stolen", true)
	decision := gateway.decision with input as question
		with data.agencies.bid.withhold as {"f0": {"rule": "r", "text": "t", "desk": "border", "action": "call"}}
		with data.agencies.bid.silence as {"f0"}
		with data.agencies.bid.hide as {"f0": {"make"}}
		with data.agencies.bid.rows as {"f0": stolen}
	plain := gateway.decision with input as question
	decision.resources.f0 == plain.resources.f0
	decision.resources.f0.read == {"make": "CLEAR"}
}

test_bid_keeps_the_case_state_from_services_abroad if {
	question := q.asked("foreign_liaison", "PARTNER", "OIC_INVESTIGATION", immigration)
	decision := gateway.decision with input as question
		with data.tables.matrix["Person.immigration"].foreign_liaison as {"*": "clear"}
	not decision.resources["f0.immigration"].read.case_state
	object.get(decision.resources["f0.immigration"], "show", "") != "silent"
}

test_eru_says_whom_a_partner_asks if {
	question := q.asked("foreign_liaison", "PARTNER", "OIC_INVESTIGATION", q.fetch("ERU", "IntelligenceReport", ["urn"], {}))
	decision := gateway.decision with input as question
		with data.tables.matrix.IntelligenceReport.foreign_liaison as {"*": "clear"}
	note := decision.resources.f0.notes[""]
	[note.desk, note.action] == ["eru-intel", "refer"]
	count(note.text) > 0
}

test_nis_says_whom_the_untrained_ask if {
	question := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("NIS", "FaceCandidate", ["rank"], {"face": ["likeness"]}))
	untrained := gateway.decision with input as q.with_subject(question, {"training": []})
	untrained.resources.f0.notes == {"": {
		"rule": "nis.operators",
		"text": "Refer to a trained operator.",
		"desk": "face",
		"action": "refer",
	}}
}

test_what_is_silent_stays_so_whatever_its_owner_says if {
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("SCP", "Vehicle", ["make"], {}))
	decision := gateway.decision with input as question
		with data.tables.matrix.Vehicle.response_officer as {"*": "silent"}
		with data.agencies.scp.withhold as {"f0": {"rule": "r", "text": "t", "desk": "d", "action": "call"}}
	decision.resources.f0 == {"show": "silent"}
}

test_the_firewall_silences_flags_of_the_agencys_own_and_nothing_else if {
	every agency in ["NMC", "SCP", "NCB"] {
		question := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", flags(agency))
		silenced := {id | some id in data.agencies[lower(agency)].silence} with input as question
		silenced == {"f0.safeguarding"}
		others := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", flags("ERU"))
		count(data.agencies[lower(agency)].silence) == 0 with input as others
	}
}

# --- uses ---

searched := object.union(
	q.fetch("SCP", "Person", ["ref"], {
		"filter": ["identifiers.value", "date_of_birth"],
		"identify": ["identifiers.value"],
		"link": ["native_key"],
		"match": ["date_of_birth"],
	}),
	{"f0.identifiers": {
		"source": "scp", "agency": "SCP", "entity": "Identifier", "parent": "f0", "limit": 100,
		"read": ["kind", "value"],
		"uses": {"match": ["kind", "value"], "identify": ["value"]},
	}},
)

officer := q.asked("response_officer", "NMC", "OFFICER_SAFETY", searched)

plain_uses := {id: ruling.uses | some id, ruling in decision.resources} if {
	decision := gateway.decision with input as officer
}

uses_with(rules) := {id: ruling.uses | some id, ruling in decision.resources} if {
	decision := gateway.decision with input as officer with data.agencies.scp.not_uses as rules
}

test_an_owner_takes_back_any_use_of_a_field if {
	every use, fields in searched.f0.uses {
		every field in fields {
			field in plain_uses.f0[use]
			left := uses_with({"f0": {use: {field}}})
			not field in object.get(left.f0, use, [])
			object.remove(left.f0, [use]) == object.remove(plain_uses.f0, [use])
		}
	}
	face := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("NIS", "FaceCandidate", ["rank"], {"face": ["likeness"]}))
	decision := gateway.decision with input as face with data.agencies.nis.not_uses as {"f0": {"face": {"likeness"}}}
	decision.resources.f0.uses == {}
	note := decision.resources.f0.notes.likeness
	[note.rule, note.desk, note.action] == ["nis.not_uses", "face", "refer"]
	offences := q.asked("immigration_enforcement", "BID", "OFFICER_SAFETY", object.union(
		q.fetch("SCP", "Person", ["ref"], {}),
		{"f0.offending": {
			"source": "scp", "agency": "SCP", "entity": "Offence", "parent": "f0", "limit": 100,
			"read": [], "uses": {"count": ["serious"]},
		}},
	))
	counted := gateway.decision with input as offences
	counted.resources["f0.offending"].uses == {"count": ["serious"]}
	uncounted := gateway.decision with input as offences with data.agencies.scp.not_uses as {"f0.offending": {"count": {"serious"}}}
	uncounted.resources["f0.offending"].uses == {}
}

test_a_use_of_a_parts_field_is_taken_back_from_its_records_criteria_too if {
	left := uses_with({"f0.identifiers": {"filter": {"value"}, "identify": {"value"}}})
	left.f0.filter == ["date_of_birth"]
	not left.f0.identify
	not left["f0.identifiers"].identify
	left["f0.identifiers"].match == ["kind", "value"]
}

test_what_is_hidden_is_neither_asked_for_in_full_nor_matched if {
	hidden := gateway.decision with input as officer with data.agencies.scp.hide as {"f0.identifiers": {"value"}}
	not hidden.resources.f0.uses.identify
	hidden.resources["f0.identifiers"].uses == {"match": ["kind"]}
	hidden.resources.f0.uses.match == ["date_of_birth"]
	hidden.resources["f0.identifiers"].notes.value.rule == "scp.hide"
}

test_nobody_takes_back_a_use_of_anothers_data if {
	decision := gateway.decision with input as officer with data.agencies.bid.not_uses as {"f0": {"filter": {"date_of_birth"}}}
	decision.resources.f0.uses == plain_uses.f0
	ours := gateway.decision with input as officer with data.agencies.nmc.not_uses as {"f0": {"filter": {"date_of_birth"}}}
	ours.resources.f0.uses.filter == ["identifiers.value"]
}
