package gateway.obligations_test

import data.gateway
import data.gateway.lib
import data.gateway.questions_test as q

notify(question) := {one.attributes.resource | some one in silent_matches(obligations)} if {
	obligations := gateway.decision.obligations with input as question
}

silent_matches(obligations) := [one |
	some one in obligations
	one.type == "notify_owner"
	one.attributes.about == "SILENT_MATCH"
]

report(agency) := q.fetch(agency, "IntelligenceReport", ["ref"], {})

test_an_owner_learns_of_what_stays_silent_to_others if {
	question := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", report("ERU"))
	silent_matches(gateway.decision.obligations) == [{
		"type": "notify_owner",
		"attributes": {
			"about": "SILENT_MATCH",
			"agency": "ERU",
			"resource": "f0",
			"rows": lib.all_of([lib.eq("silent", true), lib.one_of("retention", ["CURRENT", "REVIEW_DUE"])]),
			"by": "",
			"desks": {"ERU": {"desk": "eru-intel", "on_call": "eru-duty"}},
			"due_s": data.tables.casework.tripwire_due_s,
		},
	}] with input as question
}

test_whoever_sees_silent_records_trips_no_wire if {
	own := q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", report("ERU"))
	notify(own) == set()
	notify(q.with_subject(own, {"training": ["intelligence"]})) == {"f0"}
}

test_the_gateways_own_questions_trip_no_wire if {
	canary := q.asked("canary", "GATEWAY", "ENFORCEMENT_CHECK", q.fetch("NCB", "Person", ["sex"], {}))
	not gateway.decision.refuse with input as canary
	notify(canary) == set()
}

test_nobody_else_may_ask_as_the_gateway if {
	pretender := q.asked("canary", "NMC", "ENFORCEMENT_CHECK", q.fetch("NCB", "Person", ["sex"], {}))
	gateway.decision.refuse.rule == "refuse.purpose" with input as pretender
}

wiring(tripwires) := object.union(object.remove(data.tables.casework, ["tripwires"]), {"tripwires": tripwires})

vehicle(agency) := q.asked("arrival_officer", "SCP", "OFFICER_SAFETY", q.fetch(agency, "Vehicle", ["make"], {}))

test_only_the_kinds_that_the_owner_lists if {
	{agency | some agency in ["BID", "ERU", "NCB", "NMC", "SCP"]; notify(vehicle(agency)) == {"f0"}} == {"BID", "ERU", "NCB"}
	table := wiring({"ERU": ["IntelligenceReport"]})
	notify(vehicle("ERU")) == set() with data.tables.casework as table
	notify(q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", report("ERU"))) == {"f0"} with data.tables.casework as table
}

test_a_component_without_discreet_elements_trips_no_wire_of_its_own if {
	notify(q.asked("arrival_officer", "SCP", "OFFICER_SAFETY", q.person("NCB", "names", "PersonName", ["full"]))) == {"f0"}
}

alerts(role, agency, holder) := q.asked(role, agency, "OFFICER_SAFETY", q.person(holder, "alerts", "Alert", ["kind"]))

elements(question) := {one.attributes | some one in obligations; one.attributes.by != ""} if {
	obligations := [one | some one in gateway.decision.obligations; one.type == "notify_owner"] with input as question
}

test_who_placed_a_discreet_alert_learns_of_the_question if {
	some attributes in elements(alerts("response_officer", "NMC", "NMC"))
	object.remove(attributes, ["desks"]) == {
		"about": "SILENT_MATCH",
		"agency": "NMC",
		"resource": "f0.alerts",
		"rows": lib.all_of([lib.eq("discreet", true)]),
		"by": "owner",
		"due_s": data.tables.casework.tripwire_due_s,
	}
	object.keys(attributes.desks) == {"BID", "ERU", "NCB", "NMC", "SCP"}
	attributes.desks.NCB.desk == data.tables.agencies.NCB.desk
}

test_of_elements_the_holder_is_told_at_least if {
	table := wiring({"NCB": ["Alert"], "ERU": ["IntelligenceReport"]})
	some attributes in elements(alerts("response_officer", "NMC", "SCP")) with data.tables.casework as table
	object.keys(attributes.desks) == {"NCB", "SCP"} with data.tables.casework as table
}

test_whoever_sees_discreet_elements_trips_no_wire if {
	elements(alerts("bureau_officer", "NCB", "NCB")) == set()
	elements(alerts("immigration_enforcement", "BID", "BID")) == set()
	count(elements(alerts("bureau_officer", "NCB", "BID"))) == 1
}

test_no_wire_for_what_nobody_says_who_placed_or_does_not_agree if {
	count(elements(alerts("response_officer", "NMC", "NMC"))) == 1
	elements(alerts("response_officer", "NMC", "NMC")) == set() with data.tables.casework as object.remove(data.tables.casework, ["placed_by"])
	elements(alerts("response_officer", "NMC", "NMC")) == set() with data.agencies.nmc.consents as false
	canary := q.asked("canary", "GATEWAY", "ENFORCEMENT_CHECK", q.person("NMC", "alerts", "Alert", ["kind"]))
	elements(canary) == set()
}

test_an_agency_without_a_desk_is_told_nothing if {
	nobody := {"NMC": object.remove(data.tables.agencies.NMC, ["desk"])}
	agencies := object.union(object.remove(data.tables.agencies, ["NMC"]), nobody)
	count(elements(alerts("response_officer", "NMC", "NMC"))) == 1
	elements(alerts("arrival_officer", "SCP", "NMC")) == set() with data.tables.agencies as agencies
}

test_an_owner_that_is_not_part_is_not_visited if {
	question := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", report("ERU"))
	notify(question) == set() with data.agencies.eru.consents as false
}

lasting(question) := {one | some one in obligations; one.type in {"record_outcome", "second_person"}} if {
	obligations := gateway.decision.obligations with input as question
}

face := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("NIS", "FaceCandidate", ["rank"], {"face": ["likeness"]}))

test_a_search_by_face_owes_its_outcome if {
	lasting(face) == {{"type": "record_outcome", "attributes": {"kind": "face", "resource": "f0"}}}
	lasting(q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", report("ERU"))) == set()
}

test_another_person_agrees_where_the_table_says_so if {
	table := object.union(data.tables.casework, {"obliged": {"record_outcome": [], "second_person": ["face"]}})
	lasting(face) == {{"type": "second_person", "attributes": {"kind": "face", "resource": "f0"}}} with data.tables.casework as table
}

# --- sign-in, time and watermark ---

of(kind, question) := {one.attributes | some one in obligations; one.type == kind} if {
	obligations := gateway.decision.obligations with input as question
}

faces := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("NIS", "FaceCandidate", ["rank"], {"face": ["likeness"]}))

plates := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Vehicle", ["make"], {}))

test_intrusive_questions_ask_for_a_recent_sign_in if {
	row := data.tables.obligations.reauthenticate
	asked := {"max_age_s": row.max_age_s, "acr": row.acr}
	of("reauthenticate", faces) == {asked}
	of("reauthenticate", q.with_context(plates, {"reason_code": "R12"})) == {asked}
	of("reauthenticate", plates) == set()
}

test_intrusive_questions_wait_for_the_witnesses if {
	asked := {"within_s": data.tables.obligations.witnessed.within_s}
	of("witnessed", faces) == {asked}
	of("witnessed", q.with_context(plates, {"reason_code": "R12"})) == {asked}
	broken := q.with_subject(q.with_context(plates, {"break_glass": true}), {"training": ["break_glass"]})
	of("witnessed", broken) == {asked}
	of("witnessed", plates) == set()
	open := {"uses": ["face"], "reason_codes": ["R12"], "break_glass": false, "within_s": 5}
	of("witnessed", broken) == set() with data.tables.obligations.witnessed as open
}

test_az_26_whoever_breaks_the_glass_was_trained_to_and_their_desk_is_told if {
	broken := q.with_context(plates, {"break_glass": true})
	trained := q.with_subject(broken, {"training": ["break_glass"]})
	of("break_glass", trained) == {{
		"agency": "NMC",
		"desk": "nmc-bureau",
		"on_call": "gateway",
		"due_s": data.tables.obligations.break_glass.due_s,
	}}
	gateway.decision.refuse.rule == "refuse.break_glass" with input as broken
	of("break_glass", plates) == set()
	allowed := gateway.decision with input as q.with_subject(plates, {"training": ["break_glass"]})
	shown := gateway.decision with input as trained
	shown.resources == allowed.resources # it widens nothing
}

test_images_are_shown_for_a_time_only if {
	of("time_box", faces) == {{"seconds": data.tables.obligations.time_box.seconds}}
	of("time_box", plates) == set()
}

test_images_and_the_most_sensitive_fields_bear_a_watermark if {
	of("watermark", faces) == {{}}
	of("watermark", q.asked("public_protection", "SCP", "PROTECT_VULNERABLE", q.person("SCP", "safeguarding", "SafeguardFlag", ["kind"]))) == {{}}
	of("watermark", plates) == set()
}
