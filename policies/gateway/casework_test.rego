package gateway.casework_test

import data.gateway.casework
import data.gateway.questions_test as q

table := data.tables.casework

asked(role, agency, act, changes) := object.union(
	object.remove(q.asked(role, agency, "PREVENT_DETECT_CRIME", {}), ["resources"]),
	{
		"action": {"name": "casework"},
		"casework": object.union(
			{
				"act": act,
				"agency": "ERU",
				"entity": "IntelligenceReport",
				"fields": ["text"],
				"asked": [],
				"for_s": 3600,
				"urgency": "PRIORITY",
				"refusal": null,
				"revocation": "IN_ERROR",
				"outcome": "LEAD",
				"own": false,
			},
			changes,
		),
	},
)

request(changes) := asked("response_officer", "NMC", "requestRelease", changes)

verdict(changes) := asked("desk", "ERU", "decideRelease", object.union({"asked": ["text", "title"], "urgency": null}, changes))

said(question) := decision.refuse.rule if {
	decision := casework.decision with input as question
	decision.allow == false
	decision.refuse.text != ""
	decision.refuse.desk != ""
} else := "allowed" if {
	decision := casework.decision with input as question
	decision.allow == true
}

terms(question) := decision.terms if {
	decision := casework.decision with input as question
}

# --- who ---

test_every_role_may_do_what_the_table_lists_and_nothing_else if {
	every name, role in data.tables.roles {
		every act, listed in table.acts {
			question := asked(name, role.agencies[0], act, {"agency": role.agencies[0]})
			said(question) == "casework.role" == not_in(name, listed)
		}
	}
}

not_in(name, listed) := count({1 | some one in listed; one == name}) == 0

test_an_act_that_is_not_listed_is_nobodys if said(asked("desk", "ERU", "deleteEverything", {})) == "casework.role"

test_a_role_counts_only_where_its_agency_may_give_it if {
	said(q.with_subject(request({}), {"agency": "BID"})) == "casework.role"
}

test_an_agency_that_is_not_part_is_refused if {
	said(q.with_subject(request({}), {"agency": "NONE"})) == "casework.agency"
}

test_who_searches_decides_nothing_and_who_decides_asks_nothing if {
	both := {"roles": ["desk", "rocu_analyst"]}
	said(q.with_subject(verdict({}), both)) == "casework.role"
	said(q.with_subject(asked("rocu_analyst", "ERU", "requestRelease", {}), both)) == "casework.role"
	said(verdict({})) == "allowed"
	said(asked("rocu_analyst", "ERU", "requestRelease", {})) == "allowed"
}

test_a_question_of_another_form_is_refused if {
	every change in [{"version": 2}, {"action": {"name": "query"}}, {"subject": {"type": "machine"}}, {"subject": {"clearance": "X"}}, {"casework": {"act": null}}] {
		said(object.union(request({}), change)) == "casework.question"
	}
}

# --- asking ---

test_a_release_may_be_asked_for_and_its_desk_and_clock_are_said if {
	said(request({})) == "allowed"
	terms(request({})) == {"desk": "eru-intel", "on_call": "eru-duty", "due_s": 14400, "most_waiting": 20, "most_of_record": 3}
	terms(request({"urgency": "LIFE_AT_RISK"})).due_s == 900
	elsewhere := terms(request({"agency": "NMC"}))
	[elsewhere.desk, elsewhere.on_call] == ["nmc-bureau", "gateway"]
}

test_how_many_may_wait_is_the_tables_to_say if {
	fewer := object.union(table, {"most_waiting": {"officer": 2, "record": 1}})
	said_so := terms(request({})) with data.tables.casework as fewer
	[said_so.most_waiting, said_so.most_of_record] == [2, 1]
}

test_a_record_that_is_not_there_has_no_terms if {
	said(request({"agency": null, "entity": null})) == "allowed"
	terms(request({"agency": null, "entity": null})) == {}
}

test_a_purpose_must_be_held_and_reasoned if {
	said(q.with_context(request({}), {"purpose": "STRATEGIC_REPORTING"})) == "casework.purpose"
	said(q.with_context(request({}), {"purpose": null})) == "casework.purpose"
	said(q.with_context(request({}), {"reason_code": "R99"})) == "casework.reason_code"
	said(q.with_context(request({}), {"case_given": false, "reason_given": false})) == "casework.reason"
	nameless := object.union(data.tables.purposes, {"PREVENT_DETECT_CRIME": {"legal_basis": ""}})
	said(request({})) == "casework.purpose_basis" with data.tables.purposes as nameless
}

test_only_what_may_be_released_can_be_asked_for if {
	every fields in [[], ["native_key"], ["text", "handling"]] {
		said(request({"fields": fields})) == "casework.releasable"
	}
	said(request({"entity": "SafeguardFlag", "fields": ["kind"]})) == "casework.releasable"
}

test_no_longer_and_no_otherwise_than_the_table_says if {
	every changes in [{"for_s": 0}, {"for_s": table.longest_s + 1}, {"urgency": null}, {"urgency": "SOON"}] {
		said(request(changes)) == "casework.term"
	}
	said(request({"for_s": table.longest_s})) == "allowed"
}

# --- deciding ---

test_a_desk_grants_some_of_what_was_asked_or_refuses_with_a_code if {
	said(verdict({})) == "allowed"
	every code, _ in table.refusal_codes {
		said(verdict({"fields": [], "for_s": null, "refusal": code})) == "allowed"
	}
	terms(verdict({})) == {}
}

test_a_verdict_of_another_form_is_refused if {
	every changes in [
		{"fields": ["urn"]},
		{"fields": []},
		{"for_s": table.longest_s + 1},
		{"for_s": null},
		{"refusal": "NOT_NECESSARY"},
		{"fields": [], "for_s": null, "refusal": "NO_SUCH_CODE"},
		{"fields": [], "for_s": 60, "refusal": "NOT_NECESSARY"},
	] {
		said(verdict(changes)) == "casework.verdict"
	}
}

test_only_the_originators_own_desk if {
	every act in ["decideRelease", "revokeRelease", "standingReleases", "deskQueue", "notices", "acknowledgeNotice"] {
		said(asked("desk", "NCB", act, {"asked": ["text"]})) == "casework.desk"
		said(asked("desk", "ERU", act, {"asked": ["text"]})) == "allowed"
	}
}

test_nobody_decides_on_their_own_request if said(verdict({"own": true})) == "casework.own_request"

test_a_release_ends_early_with_a_code_of_the_table if {
	every code, _ in table.revocation_codes {
		said(ended({"revocation": code})) == "allowed"
	}
	every code in ["", "BECAUSE", null] {
		said(ended({"revocation": code})) == "casework.revocation"
	}
	terms(ended({})) == {}
}

ended(changes) := asked("desk", "ERU", "revokeRelease", changes)

# --- outcomes, countersignatures ---

test_an_outcome_is_a_code_of_the_table if {
	every code, _ in table.outcomes {
		said(recorded(code)) == "allowed"
	}
	every code in ["", "MAYBE", null] {
		said(recorded(code)) == "casework.outcome"
	}
}

test_nobody_countersigns_for_themselves_or_another_agency if {
	said(asked("sergeant", "NMC", "countersign", {"agency": "NMC"})) == "allowed"
	said(asked("sergeant", "NMC", "countersign", {"agency": "NMC", "own": true})) == "casework.own_request"
	said(asked("sergeant", "NMC", "countersign", {"agency": "SCP"})) == "casework.desk"
	said(asked("response_officer", "NMC", "countersign", {"agency": "NMC"})) == "casework.role"
}

test_a_supervisor_of_each_agency_agrees_and_the_gateways_where_there_is_none if {
	every agency in ["NMC", "SCP", "BID", "ERU", "NCB"] {
		said(asked("duty_supervisor", agency, "countersign", {"agency": agency})) == "allowed"
		terms(asked("duty_supervisor", agency, "toCountersign", {"agency": agency})) == {"agencies": [agency]}
	}
	own := asked("duty_supervisor", "GATEWAY", "countersign", {"agency": "GATEWAY"})
	{agency | some agency in terms(own).agencies} == {"GATEWAY", "PARTNER", "TASKFORCE"}
	said(asked("duty_supervisor", "GATEWAY", "countersign", {"agency": "TASKFORCE"})) == "allowed"
	said(asked("duty_supervisor", "GATEWAY", "countersign", {"agency": "NMC"})) == "casework.desk"
}

# --- notices ---

test_the_desks_of_an_agency_are_those_that_it_has_people_at if {
	every act in ["notices", "acknowledgeNotice"] {
		terms(asked("desk", "ERU", act, {"agency": "ERU"})) == {"desks": ["eru-duty", "eru-intel"]}
		terms(asked("desk", "GATEWAY", act, {"agency": "GATEWAY"})) == {"desks": ["gateway", "gateway-duty"]}
	}
}

# --- budgets ---

test_every_officer_has_somebody_who_may_release_their_budget if {
	agencies := {agency | some role in data.tables.roles; role.queries; not role.unattended; some agency in role.agencies}
	every agency in agencies {
		by := object.get(table.supervised_by, agency, agency)
		release := {"agency": agency, "budget": "questions", "extra": 100, "for_s": 3600}
		said(asked("duty_supervisor", by, "releaseBudget", release)) == "allowed"
	}
	said(asked("duty_supervisor", "BID", "releaseBudget", {"agency": "PARTNER", "budget": "questions", "extra": 1, "for_s": 60})) == "casework.desk"
	said(asked("desk", "GATEWAY", "notices", {"agency": "PARTNER"})) == "casework.desk"
}

added(role, more) := asked(role, "NMC", "releaseBudget", object.union({"agency": "NMC", "budget": "questions", "extra": 100, "for_s": 3600}, more))

test_a_supervisor_adds_to_a_colleagues_budget_within_bounds if {
	said(added("sergeant", {})) == "allowed"
	said(added("response_officer", {})) == "casework.role"
	said(added("sergeant", {"own": true})) == "casework.own_request"
	said(added("sergeant", {"agency": "SCP"})) == "casework.desk"
	every wrong in [
		{"budget": "everything"}, {"budget": null},
		{"extra": 0}, {"extra": data.tables.budgets.most_extra + 1},
		{"for_s": 0}, {"for_s": data.tables.budgets.longest_s + 1},
	] {
		said(added("sergeant", wrong)) == "casework.budget"
	}
}

# --- what is kept of the record ---

auditor(act, changes) := asked("professional_standards", "NMC", act, object.union({"agency": "NMC", "code": "UNLAWFUL"}, changes))

overseer(act, changes) := asked("external_auditor", "OVERSIGHT", act, object.union({"agency": "NMC", "code": "UNLAWFUL"}, changes))

test_an_agency_asks_for_an_erasure_and_the_overseer_agrees if {
	said(auditor("requestErasure", {})) == "allowed"
	said(auditor("agreeToErasure", {})) == "casework.role"
	said(asked("force_auditor", "NMC", "requestErasure", {"agency": "NMC", "code": "OVER"})) == "casework.role"
	said(overseer("requestErasure", {})) == "allowed"
	said(overseer("agreeToErasure", {})) == "allowed"
	said(overseer("agreeToErasure", {"agency": null})) == "allowed"
	said(overseer("agreeToErasure", {"own": true})) == "casework.own_request"
}

test_a_hold_is_let_go_by_two if {
	said(auditor("liftHold", {"code": "ENDED"})) == "allowed"
	said(auditor("agreeToLift", {})) == "allowed"
	said(auditor("agreeToLift", {"own": true})) == "casework.own_request"
	said(auditor("agreeToLift", {"agency": "SCP"})) == "casework.desk"
	said(overseer("agreeToLift", {"agency": "SCP"})) == "allowed"
	said(overseer("agreeToLift", {"own": true})) == "casework.own_request"
	said(asked("force_auditor", "NMC", "agreeToLift", {"agency": "NMC"})) == "casework.role"
	said(asked("force_auditor", "NMC", "liftHold", {"agency": "NMC", "code": "ENDED"})) == "casework.role"
}

test_another_agency_s_record_is_the_overseer_s_matter_alone if {
	every act in ["requestErasure", "erasures", "placeHold", "liftHold", "holds"] {
		code := {"requestErasure": "OVER", "placeHold": "COURT", "liftHold": "ENDED"}
		changes := {"agency": "SCP", "code": object.get(code, act, null)}
		said(auditor(act, changes)) == "casework.desk"
		said(overseer(act, changes)) == "allowed"
	}
	said(asked("sergeant", "NMC", "countersign", {"agency": "SCP"})) == "casework.desk"
}

test_why_something_of_the_record_is_erased_or_held_is_a_code_of_the_table if {
	every act, codes in table.keeping_codes {
		every code, _ in codes {
			said(overseer(act, {"code": code})) == "allowed"
		}
		every code in ["", "BECAUSE", null] {
			said(overseer(act, {"code": code})) == "casework.keeping"
		}
	}
	said(overseer("liftHold", {"code": "COURT"})) == "casework.keeping"
}

test_whose_erasures_and_holds_one_deals_with_is_said if {
	terms(auditor("erasures", {})) == {"agencies": ["NMC"]}
	{agency | some agency in terms(overseer("erasures", {})).agencies} == object.keys(data.tables.agencies)
}

recorded(code) := asked("bureau_officer", "NCB", "recordOutcome", {"agency": "NCB", "outcome": code})

# --- the whole answer ---

test_an_answer_is_whole if {
	allowed := casework.decision with input as request({})
	object.keys(allowed) == {"version", "serial", "allow", "terms"}
	[allowed.version, allowed.serial, allowed.allow] == [1, data.tables.release.serial, true]
	refused := casework.decision with input as verdict({"own": true})
	refused == {
		"version": 1,
		"serial": data.tables.release.serial,
		"allow": false,
		"refuse": object.union({"rule": "casework.own_request"}, data.tables.refusals.own_request),
	}
}

test_ones_own_is_nobodys_business_where_it_is_not_decided_on if {
	said(asked("bureau_officer", "NCB", "recordOutcome", {"agency": "NCB", "own": true})) == "allowed"
}

test_a_budget_is_enlarged_to_its_very_bounds if {
	said(added("sergeant", {"extra": 1, "for_s": 1})) == "allowed"
	said(added("sergeant", {"extra": data.tables.budgets.most_extra, "for_s": data.tables.budgets.longest_s})) == "allowed"
}

test_a_refusal_gives_no_field_for_no_time if {
	every changes in [
		{"fields": ["text"], "for_s": null, "refusal": "NOT_NECESSARY"},
		{"fields": ["text"], "for_s": 60, "refusal": "NOT_NECESSARY"},
	] {
		said(verdict(changes)) == "casework.verdict"
	}
}

test_a_release_may_be_for_a_second if said(request({"for_s": 1})) == "allowed"

test_a_role_is_held_while_the_posting_is_fresh if {
	stale := {"as_at": {"posting": "2025-02-28T09:59:59Z"}}
	said(q.with_subject(verdict({}), stale)) == "casework.role"
	said(q.with_subject(verdict({}), {"as_at": {"posting": "2025-02-28T10:00:00Z"}})) == "allowed"
}
