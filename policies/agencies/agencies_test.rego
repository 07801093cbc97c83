package agencies.agencies_test

import data.gateway
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

# The switch lets it through here, so that only the agency's own rule can be what silences it.
test_forces_and_bureau_silence_flags_for_immigration_control_whatever_the_matrix_says if {
	every agency in ["NMC", "SCP", "NCB"] {
		question := q.asked("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", flags(agency))
		decision := gateway.decision with input as question
			with data.tables.switches.firewall_silent as []
			with data.tables.matrix["Person.safeguarding"].immigration_enforcement as {"*": "clear"}
		decision.resources["f0.safeguarding"] == {"show": "silent"}
		border := gateway.decision with input as q.with_context(question, {"purpose": "BORDER_SECURITY"})
			with data.tables.matrix["Person.safeguarding"].immigration_enforcement as {"*": "clear"}
		border.resources["f0.safeguarding"].show == "records"
	}
}

test_who_protects_a_suspect_is_told_of_for_border_security if {
	every agency in ["NMC", "SCP", "NCB"] {
		told := ruling("border_force", "BID", "BORDER_SECURITY", flags(agency), "f0.safeguarding")
		told.show == "hit"
		told.notes[""].desk == "public-protection"
	}
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
