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
	object.keys(ruling) == {"show", "limit", "rows", "uses", "whole", "read", "notes"}
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

test_a_purpose_is_used_up_to_the_day_of_its_next_review if {
	due := gateway.decision with input as simple with data.tables.purposes.OFFICER_SAFETY.review_by as "2025-03-01"
	not due.refuse
	every overdue in ["2025-02-28", "", null] {
		decision := gateway.decision with input as simple with data.tables.purposes.OFFICER_SAFETY.review_by as overdue
		decision.refuse.rule == "refuse.purpose_basis"
	}
	unset := json.remove(data.tables.purposes, ["OFFICER_SAFETY/review_by"])
	decision := gateway.decision with input as simple with data.tables.purposes as unset
	decision.refuse.rule == "refuse.purpose_basis"
}

# --- how fresh, and from where ---

said(attribute, moment) := q.with_subject(simple, {"as_at": {attribute: moment}})

test_az_30_a_stale_posting_or_clearance_is_not_held if {
	every attribute, hours in {"posting": 24, "clearance": 720} {
		data.tables.limits.fresh_hours[attribute] == hours
		decision := gateway.decision with input as said(attribute, "2025-02-28T10:00:00Z")
		not decision.refuse
		every stale in ["2025-01-30T09:59:59Z", "2020-01-01T00:00:00Z", "never", null] {
			refusal(said(attribute, stale)) == "refuse.stale"
		}
		unsaid := json.remove(simple, [concat("/", ["subject/as_at", attribute])])
		refusal(unsaid) == "refuse.stale"
	}
	refusal(said("posting", "2025-02-28T09:59:59Z")) == "refuse.stale"
}

test_a_role_of_the_front_line_asks_on_duty_only if {
	data.tables.limits.fresh_hours.on_duty == 12
	started := gateway.decision with input as said("on_duty", "2025-02-28T22:00:00Z")
	not started.refuse
	every stale in ["2025-02-28T21:59:59Z", "2020-01-01T00:00:00Z", "never", null] {
		refusal(said("on_duty", stale)) == "refuse.on_duty"
	}
	every other in [false, null, "true", 1] {
		refusal(q.with_subject(simple, {"on_duty": other})) == "refuse.on_duty"
	}
	refusal(json.remove(simple, ["subject/on_duty"])) == "refuse.on_duty"
	refusal(json.remove(simple, ["subject/as_at/on_duty"])) == "refuse.on_duty"
}

test_who_works_at_a_desk_asks_whether_or_not_on_duty if {
	analyst := q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", q.fetch("ERU", "Person", ["sex"], {}))
	decision := gateway.decision with input as q.with_subject(analyst, {"on_duty": false})
	not decision.refuse
	required := {name | some name, row in data.tables.roles; row.on_duty}
	required == {"response_officer", "sergeant", "immigration_enforcement", "border_force", "arrival_officer"}
}

test_az_30_stale_training_is_none if {
	question := q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", q.fetch("ERU", "IntelligenceReport", ["urn"], {}))
	every moment, shown in {"2025-01-30T10:00:00Z": "records", "2025-01-30T09:59:59Z": "hit", "never": "hit"} {
		decision := gateway.decision with input as q.with_subject(question, {"as_at": {"training": moment}})
		decision.resources.f0.show == shown
	}
}

test_the_lowest_ceiling_of_app_and_network_holds if {
	high := data.gateway.lib.one_of("marking", ["OFFICIAL", "OFFICIAL_SENSITIVE"])
	low := data.gateway.lib.one_of("marking", ["OFFICIAL"])
	plain := gateway.decision with input as simple
	high in plain.resources.f0.rows.value
	app := gateway.decision with input as simple with data.tables.apps["nmc-station"].clearance as "O"
	low in app.resources.f0.rows.value
	network := gateway.decision with input as simple with data.tables.networks.office.clearance as "O"
	low in network.resources.f0.rows.value
	partner := gateway.decision with input as q.with_subject(simple, {"app": "partner-liaison"})
	low in partner.resources.f0.rows.value
}

test_without_a_known_app_and_network_nothing_is_shown if {
	refusal(q.with_subject(simple, {"app": "stranger"})) == "refuse.app"
	nowhere := gateway.decision with input as simple with data.tables.apps["nmc-station"].network as "nowhere"
	object.keys(nowhere.resources.f0) == {"notes"}
}

test_every_app_stands_in_a_network_of_the_table if {
	every row in data.tables.apps {
		data.tables.networks[row.network]
		data.tables.clearances[row.clearance]
	}
	every row in data.tables.networks {
		data.tables.clearances[row.clearance]
	}
}

# --- references ---

only_case(agency, form) := q.with_subject(asked, {"agency": agency}) if {
	bare := q.with_context(simple, {"reason_given": false, "incident_given": false, "case_given": true})
	asked := q.with_context(bare, {"reason_code": "R06", "case_form": form})
}

test_a_case_counts_in_its_agencys_own_form_only if {
	decision := gateway.decision with input as only_case("NMC", "AA/9999/999999")
	not decision.refuse
	saltcoast := gateway.decision with input as only_case("SCP", "AA-99-9999999")
	not saltcoast.refuse
	every form in ["AA-99-9999999", "AA/9999/99999", "9", "", null] {
		refusal(only_case("NMC", form)) == "refuse.reason"
	}
	refusal(only_case("SCP", "AA/9999/999999")) == "refuse.reason"
}

test_an_agency_without_forms_has_no_cases if {
	formless := json.remove(data.tables.agencies, ["NMC/case_forms"])
	question := only_case("NMC", "AA/9999/999999")
	decision := gateway.decision with input as question with data.tables.agencies as formless
	decision.refuse.rule == "refuse.reason"
	told := gateway.decision with input as q.with_context(question, {"reason_given": true})
		with data.tables.agencies as formless
	not told.refuse
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

test_nobody_asks_on_their_own_behalf if {
	question := q.with_subject(simple, {"roles": ["sergeant"], "id": "u-2"})
	refusal(question) == "refuse.on_behalf"
}

# The narrower of both rights: purposes, clearance, rung, column, and no training of one's own.
behalf := q.with_subject(q.asked("sergeant", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Person", ["mopi_group"], {})), {"clearance": "OS"})

test_who_asks_for_another_needs_a_purpose_that_both_hold if {
	held := ["OFFICER_SAFETY"]
	decision := gateway.decision with input as behalf with data.tables.roles.response_officer.purposes as held
	not decision.refuse
	other := gateway.decision with input as behalf with data.tables.roles.response_officer.purposes as ["APPREHEND"]
	other.refuse.rule == "refuse.purpose"
	nobody := gateway.decision with input as behalf with data.tables.roles.sergeant.on_behalf as "nobody"
	nobody.refuse.rule == "refuse.purpose"
}

test_who_asks_for_another_has_the_lower_clearance if {
	both := data.gateway.lib.one_of("marking", ["OFFICIAL", "OFFICIAL_SENSITIVE"])
	decision := gateway.decision with input as behalf
	both in decision.resources.f0.rows.value
	every name in ["sergeant", "response_officer"] {
		lower := object.union(data.tables.roles, {name: {"clearance": "O"}})
		narrow := gateway.decision with input as behalf with data.tables.roles as lower
		data.gateway.lib.one_of("marking", ["OFFICIAL"]) in narrow.resources.f0.rows.value
	}
}

test_who_asks_for_another_has_the_lower_rung if {
	every rungs, shown in {["S3", "S3"]: {"mopi_group": "CLEAR"}, ["S1", "S3"]: {}, ["S3", "S1"]: {}} {
		raised := object.union(data.tables.roles, {"sergeant": {"ladder": rungs[0]}, "response_officer": {"ladder": rungs[1]}})
		decision := gateway.decision with input as behalf with data.tables.roles as raised
		decision.resources.f0.read == shown
	}
}

test_who_asks_for_another_uses_no_training_of_their_own if {
	report := q.asked("sergeant", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "IntelligenceReport", ["urn"], {}))
	own := gateway.decision with input as q.with_subject(report, {"roles": ["response_officer"]})
		with data.tables.matrix.IntelligenceReport.response_officer as {"*": "intel_trained"}
	own.resources.f0.show == "records"
	decision := gateway.decision with input as report
		with data.tables.matrix.IntelligenceReport.response_officer as {"*": "intel_trained"}
	decision.resources.f0.show == "hit"
}

test_who_asks_for_another_shares_a_column_with_them if {
	apart := object.union(data.tables.roles, {"sergeant": {"column": "bureau_officer"}})
	decision := gateway.decision with input as behalf with data.tables.roles as apart
	not decision.resources.f0.show
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

test_breaking_the_glass_needs_words_a_recent_sign_in_and_witnesses if {
	{one.type | some one in duties(q.with_context(simple, {"reason_code": "R12"}))} == {"require_reason", "reauthenticate", "witnessed"}
}

test_an_ordinary_question_has_its_budgets_alone if {
	duties(simple) == []
	decision := gateway.decision with input as simple
	count(decision.obligations) > 0
}

# --- the whole answer ---

test_every_answer_bears_the_contracts_version if {
	every question in [simple, q.with_subject(simple, {"roles": []}), {"action": {"name": "confirm"}}] {
		decision := gateway.decision with input as question
		[decision.version, decision.serial] == [1, data.tables.release.serial]
	}
}

test_what_nobody_listed_says_so_in_full if {
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("ERU", "Unlisted", ["x"], {}))
	decision := gateway.decision with input as question
	said := data.tables.release.default_note
	decision.resources == {"f0": {"notes": {"": {
		"rule": "Unlisted:unlisted",
		"text": said.text,
		"desk": said.desk,
		"action": said.action,
	}}}}
}

test_an_owner_that_is_not_in_the_table_has_the_gateways_desk if {
	gateway.desk("owner", "SCP") == data.tables.agencies.SCP.desk
	gateway.desk("vehicles", "XYZ") == "vehicles"
	gateway.desk("owner", "XYZ") == data.tables.release.default_note.desk
}

test_a_refusal_without_words_is_no_permission if {
	question := q.with_context(simple, {"reason_code": "R99"})
	refusal(question) == "refuse.reason_code"
	not gateway.decision with input as question with data.tables.refusals as {}
}
