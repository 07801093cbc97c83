package gateway.decision_test

import data.gateway
import data.gateway.questions_test as q

roles := data.tables.roles

# What a purpose reaches, to prove that each role may see something for each purpose it holds.
reachable(purpose) := "OrganisedGroup" if purpose == "STRATEGIC_REPORTING"

reachable(purpose) := "Person" if purpose != "STRATEGIC_REPORTING"

simple := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Vehicle", ["make", "native_key", "no_such"], {
	"filter": ["vrm", "colour"],
	"peek": ["vrm"],
}))

# --- every role and every purpose, both ways ---

test_every_role_sees_something_for_every_purpose_it_holds if {
	every name, role in roles {
		every purpose in [p | some p in role.purposes; role.queries; p != "DECONFLICTION"] {
			question := q.asked(name, role.agencies[0], purpose, q.fetch("ERU", reachable(purpose), [], {}))
			decision := gateway.decision with input as question
			not decision.refuse
			decision.resources.f0.show in {"records", "hit", "count"}
		}
	}
}

test_every_role_is_refused_for_every_purpose_it_does_not_hold if {
	every name, role in roles {
		every purpose, _ in data.tables.purposes {
			question := q.asked(name, role.agencies[0], purpose, q.fetch("ERU", "Person", [], {}))
			decision := gateway.decision with input as question
			refused_unless_held(decision, role, purpose)
		}
	}
}

refused_unless_held(decision, role, purpose) if {
	role.queries
	purpose in role.purposes
	not decision.refuse
}

refused_unless_held(decision, role, purpose) if {
	not purpose in role.purposes
	decision.refuse.text != ""
	decision.resources == {}
}

refused_unless_held(decision, role, _) if {
	not role.queries
	decision.refuse.rule == "refuse.no_queries"
}

test_every_role_is_denied_an_entity_nobody_listed if {
	every name, role in roles {
		every purpose in [p | some p in role.purposes; role.queries] {
			question := q.asked(name, role.agencies[0], purpose, q.fetch("ERU", "Unlisted", ["x"], {}))
			decision := gateway.decision with input as question
			object.keys(decision.resources.f0) == {"notes"}
			decision.resources.f0.notes[""].desk != ""
		}
	}
}

test_a_role_counts_only_where_its_agency_may_give_it if {
	decision := gateway.decision with input as q.with_subject(simple, {"agency": "BID"})
	decision.refuse.rule == "refuse.purpose"
}

test_deconfliction_reaches_nothing_yet if {
	decision := gateway.decision with input as q.asked("bureau_officer", "NCB", "DECONFLICTION", q.fetch("NCB", "Person", [], {}))
	not decision.refuse
	not decision.resources.f0.show
}

# --- the answer's shape ---

test_confirming_gives_the_serial_and_nothing_else if {
	decision := gateway.decision with input as {"version": 1, "action": {"name": "confirm"}}
	decision == {"version": 1, "serial": data.tables.release.serial, "resources": {}, "obligations": []}
}

test_a_question_is_never_taken_for_a_confirmation if {
	object.keys(gateway.decision.resources) == {"f0"} with input as simple
}

test_the_answer_has_exactly_the_contracts_keys if {
	decision := gateway.decision with input as simple
	object.keys(decision) == {"version", "serial", "cache_s", "resources", "obligations"}
	decision.serial == data.tables.release.serial
	ruling := decision.resources.f0
	object.keys(ruling) == {"show", "limit", "rows", "uses", "read", "notes"}
	ruling.read == {"make": "CLEAR", "native_key": "CLEAR"}
	ruling.uses == {"filter": ["vrm"]}
}

test_a_refusal_rules_on_nothing if {
	decision := gateway.decision with input as q.with_subject(simple, {"roles": []})
	object.keys(decision) == {"version", "serial", "resources", "obligations", "refuse"}
	object.keys(decision.refuse) == {"rule", "text", "desk"}
	decision.resources == {}
}

test_as_many_as_asked_for_within_the_limit if {
	question := object.union(simple, {"resources": {"f0": {"limit": 5000}}})
	decision := gateway.decision with input as question
	decision.resources.f0.limit == data.tables.limits.records
}

# --- refusals ---

refusal(question) := rule if {
	decision := gateway.decision with input as question
	rule := decision.refuse.rule
}

test_an_unknown_question_is_refused if {
	refusal(object.union(simple, {"version": 2})) == "refuse.question"
	refusal(object.union(simple, {"action": {"name": "write"}})) == "refuse.question"
	refusal(q.with_subject(simple, {"type": "app"})) == "refuse.question"
	refusal(q.with_subject(simple, {"clearance": "TOP"})) == "refuse.question"
	refusal(object.union(simple, {"resources": []})) == "refuse.question"
}

test_an_unknown_agency_is_refused if {
	refusal(q.with_subject(simple, {"agency": "XYZ"})) == "refuse.agency"
}

test_who_works_in_the_consoles_asks_nothing_whatever_else_they_hold if {
	refusal(q.with_subject(simple, {"roles": ["response_officer", "policy_admin"]})) == "refuse.no_queries"
	refusal(q.with_subject(simple, {"roles": ["force_auditor"]})) == "refuse.no_queries"
}

test_a_purpose_without_basis_or_review_cannot_be_used if {
	decision := gateway.decision with input as simple with data.tables.purposes.OFFICER_SAFETY.legal_basis as ""
	decision.refuse.rule == "refuse.purpose_basis"
	later := gateway.decision with input as simple with data.tables.purposes.OFFICER_SAFETY.reviewed_on as ""
	later.refuse.rule == "refuse.purpose_basis"
}

test_reason_codes_say_what_they_need if {
	refusal(q.with_context(simple, {"reason_code": "R99"})) == "refuse.reason_code"
	bare := q.with_context(simple, {"reason_given": false, "case_given": false, "incident_given": false})
	every code, row in data.tables.reasons {
		decision := gateway.decision with input as q.with_context(bare, {"reason_code": code})
		refused_for_reason(decision, row)
	}
}

refused_for_reason(decision, row) if {
	count(row.any) > 0
	decision.refuse.rule == "refuse.reason"
}

refused_for_reason(decision, row) if {
	count(row.any) == 0
	not decision.refuse
}

test_an_incident_is_enough_for_a_stop_and_not_for_an_investigation if {
	only_incident := q.with_context(simple, {"reason_given": false, "case_given": false})
	decision := gateway.decision with input as q.with_context(only_incident, {"reason_code": "R01"})
	not decision.refuse
	refusal(q.with_context(only_incident, {"reason_code": "R06"})) == "refuse.reason"
}

test_a_sergeant_asks_on_behalf_of_somebody if {
	question := q.with_subject(simple, {"roles": ["sergeant"]})
	decision := gateway.decision with input as question
	not decision.refuse
	refusal(q.with_context(question, {"on_behalf_of": null})) == "refuse.on_behalf"
}

test_an_officer_asks_for_themselves if {
	decision := gateway.decision with input as q.with_context(simple, {"on_behalf_of": null})
	not decision.refuse
}

# --- desks ---

test_a_note_names_the_desk_of_the_table_or_the_owners if {
	named := gateway.decision with input as q.asked("response_officer", "NMC", "APPREHEND", q.fetch("SCP", "Sighting", ["camera"], {}))
	named.resources.f0.notes[""].desk == "vehicles"
	owners := gateway.decision with input as q.asked("response_officer", "NMC", "APPREHEND", q.fetch("SCP", "IntelligenceReport", ["handling"], {}))
	owners.resources.f0.notes[""].desk == "scp-bureau"
	owners.resources.f0.show == "hit"
	owners.resources.f0.read == {}
}

# --- obligations ---

duties(question) := [one | some one in decision.obligations; one.type != "budget"] if {
	decision := gateway.decision with input as question
}

face := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("NIS", "FaceCandidate", ["rank"], {"face": ["likeness"]}))

test_a_search_by_face_needs_words if {
	decision := gateway.decision with input as face
	{"type": "require_reason", "attributes": {}} in decision.obligations
	decision.resources.f0.uses == {"face": ["likeness"]}
	refusal(q.with_context(face, {"reason_given": false})) == "refuse.necessity"
}

test_a_search_by_face_needs_training if {
	decision := gateway.decision with input as q.with_subject(face, {"training": []})
	not decision.resources.f0.show
	decision.resources.f0.notes[""].text == "Refer to a trained operator."
}

test_breaking_the_glass_needs_words if {
	duties(q.with_context(simple, {"reason_code": "R12"})) == [{"type": "require_reason", "attributes": {}}]
}

test_an_ordinary_question_has_its_budgets_alone if {
	duties(simple) == []
	decision := gateway.decision with input as simple
	count(decision.obligations) > 0
}
