package gateway.rows_test

import data.gateway
import data.gateway.lib
import data.gateway.questions_test as q

conditions(question) := decision.resources.f0.rows.value if {
	decision := gateway.decision with input as question
}

officer(agency, purpose) := q.asked("response_officer", "NMC", purpose, q.fetch(agency, "Person", [], {}))

bureau(agency) := q.asked("bureau_officer", "NCB", "OFFICER_SAFETY", q.fetch(agency, "Person", [], {}))

enforcement(purpose) := q.asked("immigration_enforcement", "BID", purpose, q.fetch("NMC", "Person", [], {}))

test_overdue_is_searchable_and_disposal_is_not if {
	lib.one_of("retention", ["CURRENT", "REVIEW_DUE"]) in conditions(officer("NMC", "OFFICER_SAFETY"))
}

# Section 8.2: searchable, and flagged. A record that is shown shows whether it is due for review.
test_whoever_sees_a_record_sees_whether_it_is_due_for_review if {
	unflagged := {[role, purpose, entity] |
		some role, row in data.tables.roles
		row.queries
		some purpose in row.purposes
		some owner in {row.agencies[0], "XYZ"}
		question := q.asked(role, row.agencies[0], purpose, every_record(owner))
		decision := gateway.decision with input as question with data.agencies.xyz as {"consents": true}
		some entity, ruling in decision.resources
		ruling.show == "records"
		in_clear(ruling.read.ref)
		not flagged(ruling.read)
	}
	unflagged == set()
	clear := gateway.decision with input as q.asked("criminal_team", "BID", "OIC_INVESTIGATION", q.fetch("ERU", "OrganisedGroup", ["retention", "tier"], {}))
	clear.resources.f0.read == {"retention": "CLEAR"}
}

every_record(owner) := {entity: one |
	some entity, fields in data.tables.fields
	fields.retention
	one := q.fetch(owner, entity, ["ref", "retention"], {}).f0
}

in_clear("CLEAR")

in_clear(cases) if {
	some one in cases
	one.as == "CLEAR"
}

flagged(read) if read.retention == "CLEAR"

flagged(read) if read.retention == read.ref

# Every record says what it was collected for; one that does not agrees with nothing.
test_a_purpose_agrees_with_what_was_collected_for_it if {
	every purpose, question in {
		"OFFICER_SAFETY": officer("NMC", "OFFICER_SAFETY"),
		"IMMIGRATION_CONTROL": enforcement("IMMIGRATION_CONTROL"),
	} {
		lib.one_of("collected_for", data.tables.purposes[purpose].agrees_with) in conditions(question)
	}
	"PROTECT_VULNERABLE" in data.tables.purposes.OFFICER_SAFETY.agrees_with
	not "PROTECT_VULNERABLE" in data.tables.purposes.IMMIGRATION_CONTROL.agrees_with
	not "MISSING_PERSON" in data.tables.purposes.IMMIGRATION_CONTROL.agrees_with
	nothing := gateway.decision with input as officer("NMC", "OFFICER_SAFETY")
		with data.tables.purposes.OFFICER_SAFETY.agrees_with as []
	lib.one_of("collected_for", []) in nothing.resources.f0.rows.value
}

test_purposes_agree_with_purposes if {
	every row in data.tables.purposes {
		every name in row.agrees_with {
			data.tables.purposes[name]
		}
	}
}

test_the_lower_clearance_holds if {
	open := lib.one_of("marking", ["OFFICIAL"])
	both := lib.one_of("marking", ["OFFICIAL", "OFFICIAL_SENSITIVE"])
	question := officer("NMC", "OFFICER_SAFETY")
	both in conditions(question)
	open in conditions(q.with_subject(question, {"clearance": "O"}))
	liaison := q.asked("foreign_liaison", "PARTNER", "OIC_INVESTIGATION", q.fetch("NMC", "Person", [], {}))
	open in conditions(liaison)
}

test_sensitive_fields_need_the_clearance if {
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.person("NMC", "offending", "Offence", ["date"]))
	high := gateway.decision with input as question
	high.resources["f0.offending"].read == {"date": "CLEAR"}
	low := gateway.decision with input as q.with_subject(question, {"clearance": "O"})
	low.resources["f0.offending"].read == {}
}

test_silent_records_are_for_their_owners_covert_readers if {
	overt := lib.eq("silent", false)
	overt in conditions(bureau("NMC"))
	not overt in conditions(bureau("NCB"))
	overt in conditions(q.with_subject(bureau("NCB"), {"training": []}))
}

markers(question) := decision.resources["f0.markers"].rows.value if {
	decision := gateway.decision with input as question
}

test_a_discreet_marker_is_seen_by_whom_it_was_placed_for if {
	resources := {
		"f0": object.union(q.fetch("NMC", "Vehicle", ["make"], {}).f0, {}),
		"f0.markers": object.union(
			q.fetch("NMC", "Warning", ["kind"], {}).f0,
			{"parent": "f0", "limit": 100},
		),
	}
	question := q.asked("bureau_officer", "NCB", "OFFICER_SAFETY", resources)
	ours := lib.any_of([lib.eq("discreet", false), lib.eq("placed_by", "NCB")])
	[ours] == markers(question)
	[lib.eq("discreet", false)] == markers(q.with_subject(question, {"training": []}))
	[lib.eq("discreet", false)] == markers(q.asked("rocu_analyst", "ERU", "PREVENT_DETECT_CRIME", resources))
}

test_no_children_for_partners_abroad if {
	liaison := q.asked("foreign_liaison", "PARTNER", "OIC_INVESTIGATION", q.fetch("NMC", "Person", [], {}))
	lib.before("date_of_birth", "2007") in conditions(liaison)
	lib.eq("dob_claimed", false) in conditions(liaison)
	lib.eq("victim", false) in conditions(liaison)
}

test_components_have_rows_of_their_own if {
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.person("NMC", "alerts", "Alert", ["kind", "discreet"]))
	decision := gateway.decision with input as question
	decision.resources["f0.alerts"].rows == lib.all_of([lib.eq("discreet", false)])
	decision.resources["f0.alerts"].read == {"kind": "CLEAR", "discreet": "CLEAR"}
}

test_words_for_conditions if {
	lib.any_of([]) == {"type": "compound", "operator": "or", "value": []}
	lib.only({"a": [1], "b": [1, 2]}) == lib.all_of([lib.eq("a", 1), lib.one_of("b", [1, 2])])
}

test_before_is_less_than if lib.before("date_of_birth", "2007") == {"type": "field", "field": "date_of_birth", "operator": "lt", "value": "2007"}
