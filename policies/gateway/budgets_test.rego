package gateway.budgets_test

import data.gateway
import data.gateway.budgets
import data.gateway.questions_test as q

names(question) := {one.attributes.name | some one in budgets.charged with input as question}

vehicle := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Vehicle", ["make"], {}))

everybody := {"questions", "records", "one_target"}

test_every_question_is_charged_to_its_officer if {
	names(vehicle) == everybody
	some one in budgets.charged with input as vehicle
	one.attributes.agency == "NMC"
	one.attributes.desk == "nmc-bureau"
	one.attributes.on_call == "gateway"
	one.attributes.due_s == data.tables.budgets.told_due_s
	one.attributes.slow_after < one.attributes.most
}

test_the_decision_carries_them if {
	decision := gateway.decision with input as vehicle
	{one.attributes.name | some one in decision.obligations; one.type == "budget"} == everybody
}

test_a_search_by_face_has_a_budget_of_its_own if {
	faces := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("NIS", "ImageRef", ["ref"], {"face": ["likeness"]}))
	"faces" in names(faces)
	not "faces" in names(vehicle)
}

test_the_most_sensitive_fields_have_one if {
	"most_sensitive" in names(q.asked("public_protection", "SCP", "PROTECT_VULNERABLE", q.person("SCP", "safeguarding", "SafeguardFlag", ["kind"])))
	not "most_sensitive" in names(vehicle)
}

test_what_may_be_a_hit_has_one if {
	reports := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("ERU", "OrganisedGroup", ["region"], {}))
	one_of := {name | some name in names(reports) with data.tables.matrix.OrganisedGroup.response_officer as {"*": "groups_hit"}}
	"hits" in one_of
	not "hits" in names(vehicle)
}

names_as(word) := found if {
	asked := q.asked("arrival_officer", "SCP", "OFFICER_SAFETY", q.fetch("SCP", "IntelligenceReport", ["ref"], {}))
	found := names(asked) with data.tables.matrix.IntelligenceReport.arrival_officer as {"*": word}
}

test_what_may_be_a_hit_by_case_has_it_too if {
	every named in ["intel_safety", "intel_handling", "images_by_match", "referrals_by_hit"] {
		"hits" in names_as(named)
	}
	not "hits" in names_as("clear")
	not "hits" in names_as("point_recent")
	not "hits" in names_as("withheld")
	one_of := {"read": {"ref": "HIT_ONLY"}, "show": "records"}
	"hits" in names_as("made") with data.tables.outcomes.made as one_of
}

test_another_agencys_conditions_may_make_any_record_a_hit if {
	theirs := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("SCP", "Vehicle", ["make"], {}))
	"hits" in names(theirs)
	not "hits" in names(vehicle) # one's own
	without := object.remove(data.tables.fields.Vehicle, ["handling"])
	unbound := names(theirs) with data.tables.fields.Vehicle as without
	not "hits" in unbound
	withheld := names(theirs) with data.tables.matrix.Vehicle.response_officer as {"*": "withheld"}
	not "hits" in withheld
}

test_the_gateways_own_questions_are_charged_to_nobody if {
	asked := q.asked("canary", "GATEWAY", "ENFORCEMENT_CHECK", q.fetch("NMC", "Vehicle", ["make"], {}))
	not gateway.decision.refuse with input as asked
	names(asked) == set()
}

test_an_agency_that_is_not_ours_has_no_budget_to_be_charged_to if {
	names(q.with_subject(vehicle, {"agency": "XYZ"})) == set()
}

test_each_budget_is_charged_for_its_own_reason_alone if {
	reports := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("ERU", "OrganisedGroup", ["region"], {}))
	may_be_hit := {name | some name in names(reports) with data.tables.matrix.OrganisedGroup.response_officer as {"*": "groups_hit"}}
	may_be_hit == everybody | {"hits"}
	flags := q.asked("public_protection", "SCP", "PROTECT_VULNERABLE", q.person("SCP", "safeguarding", "SafeguardFlag", ["kind"]))
	names(flags) == everybody | {"most_sensitive"}
	faces := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("NIS", "ImageRef", ["ref"], {"face": ["likeness"]}))
	names(faces) == everybody | {"faces", "hits"} # an image is a hit where the match is not likely
}
