package gateway.handling_test

import data.gateway
import data.gateway.handling
import data.gateway.lib
import data.gateway.questions_test as q

report := q.fetch("ERU", "IntelligenceReport", ["ref", "urn", "sanitised_text"], {})

arrival := q.asked("arrival_officer", "SCP", "PROTECT_VULNERABLE", report)

response := q.asked("response_officer", "NMC", "OFFICER_SAFETY", report)

# --- reading a decision as the gateway does: of cases the first that holds ---

manner(question, record) := first(decision.resources.f0.whole, object.union({"handling": "C"}, record)) if {
	decision := gateway.decision with input as question
}

named(question, record) := first(decision.resources.f0.read.ref, record) if {
	decision := gateway.decision with input as question
}

first(cases, record) := [one.as | some one in cases; holds(one.when, record)][0]

# Conditions as the reports of the tests need them: all parts, or any, of comparisons.
holds(condition, record) if {
	condition.operator == "and"
	every part in condition.value {
		either(part, record)
	}
}

holds(condition, record) if compared(condition, record)

either(part, record) if {
	part.operator == "or"
	some one in part.value
	both(one, record)
}

either(part, record) if both(part, record)

both(one, record) if {
	one.operator == "and"
	every part in one.value {
		compared(part, record)
	}
}

both(one, record) if compared(one, record)

compared(condition, record) if {
	condition.operator == "is_null"
	not record[condition.field]
}

compared(condition, record) if {
	condition.operator == "eq"
	some value in values(record[condition.field])
	value == condition.value
}

compared(condition, record) if {
	condition.operator == "in"
	some value in values(record[condition.field])
	value in condition.value
}

compared(condition, record) if {
	condition.operator == "gte"
	record[condition.field] >= condition.value
}

values(held) := held if is_array(held)

values(held) := [held] if not is_array(held)

# --- each condition, both ways ---

test_silent_reports_are_never_asked_for if {
	decision := gateway.decision with input as arrival
	lib.eq("silent", false) in decision.resources.f0.rows.value
}

test_shared_reports_are_shown if {
	manner(arrival, {"handling": "P"}) == "CLEAR"
}

test_each_condition_is_followed if {
	every names, expected in {
		["NO_ONWARD"]: "CLEAR",
		["NO_COURT_USE"]: "CLEAR",
		["NO_ONWARD", "NO_COURT_USE"]: "CLEAR",
		["NO_ACTION_WITHOUT_ORIGINATOR"]: "HIT_ONLY",
		["NOTIFY_ORIGINATOR"]: "CLEAR",
		["REFERENCE_ONLY"]: "HIT_ONLY",
		["UNLISTED"]: "HIT_ONLY",
		["SANITISED_ONLY"]: "SANITISED_TEXT",
		["NO_ONWARD", "SANITISED_ONLY"]: "SANITISED_TEXT",
		["NO_ONWARD", "NOTIFY_ORIGINATOR"]: "CLEAR",
		["NOTIFY_ORIGINATOR", "NO_ACTION_WITHOUT_ORIGINATOR"]: "HIT_ONLY",
		["NOTIFY_ORIGINATOR", "SANITISED_ONLY"]: "SANITISED_TEXT",
		["SANITISED_ONLY", "REFERENCE_ONLY"]: "HIT_ONLY",
		["NO_ONWARD", "UNLISTED"]: "HIT_ONLY",
		[]: "HIT_ONLY",
	} {
		manner(arrival, {"conditions": names}) == expected
	}
}

test_for_a_named_unit_only if {
	named := {"conditions": ["NAMED_UNIT_ONLY"]}
	manner(arrival, object.union(named, {"named_units": ["NMC", "SCP"]})) == "CLEAR"
	manner(arrival, object.union(named, {"named_units": ["ERU-INTEL"]})) == "HIT_ONLY"
	manner(arrival, named) == "HIT_ONLY"
	both := {"conditions": ["NAMED_UNIT_ONLY", "SANITISED_ONLY"], "named_units": ["ERU-INTEL"]}
	manner(arrival, both) == "HIT_ONLY"
	manner(arrival, object.union(both, {"named_units": ["SCP"]})) == "SANITISED_TEXT"
}

test_an_agency_answers_for_its_units if {
	named := {"conditions": ["NAMED_UNIT_ONLY"], "named_units": ["COAST-DESK"]}
	manner(arrival, named) == "HIT_ONLY"
	whole := gateway.decision.resources.f0.whole with input as arrival
		with data.tables.agencies.SCP.units as ["COAST-DESK"]
	first(whole, object.union({"handling": "C"}, named)) == "CLEAR"
}

test_for_a_named_purpose_only if {
	named := {"conditions": ["NAMED_PURPOSE_ONLY"], "named_purposes": ["PROTECT_VULNERABLE"]}
	manner(arrival, named) == "CLEAR"
	manner(q.with_context(arrival, {"purpose": "OFFICER_SAFETY"}), named) == "HIT_ONLY"
	manner(arrival, {"conditions": ["NAMED_PURPOSE_ONLY"]}) == "HIT_ONLY"
}

test_until_a_date if {
	every day, expected in {"2025-02-28": "HIT_ONLY", "2025-03-01": "CLEAR", "2026-01-31": "CLEAR"} {
		manner(arrival, {"conditions": ["EXPIRES"], "expires_on": day}) == expected
	}
	manner(arrival, {"conditions": ["EXPIRES"]}) == "HIT_ONLY"
}

test_a_condition_without_its_row_or_with_an_unknown_word_denies if {
	every table in [
		object.remove(data.tables.handling.conditions, ["NO_COURT_USE"]),
		object.union(data.tables.handling.conditions, {"NO_COURT_USE": {"enforce": "perhaps"}}),
	] {
		whole := gateway.decision.resources.f0.whole with input as arrival
			with data.tables.handling.conditions as table
		first(whole, {"handling": "C", "conditions": ["NO_ONWARD", "NO_COURT_USE"]}) == "HIT_ONLY"
	}
}

test_every_condition_that_there_is_has_its_row if {
	{name | some name in data.tables.handling.listed} == object.keys(data.tables.handling.conditions)
	every row in data.tables.handling.conditions {
		row.kind in {"action", "sanitisation", "handling"}
		row.enforce in (handling.known_words("IntelligenceReport", true) | {"hit", "silent"})
	}
}

test_a_hit_names_the_owners_desk_and_the_next_step if {
	every type, action in {"IntelligenceReport": "requestRelease", "Vehicle": "call"} {
		decision := gateway.decision with input as q.asked("arrival_officer", "SCP", "PROTECT_VULNERABLE", q.fetch("ERU", type, ["ref"], {}))
		note := decision.resources.f0.notes["*"]
		[note.rule, note.desk, note.action] == [concat(":", [type, "handling"]), "eru-intel", action]
	}
}

# --- every record, for every role ---

entities := {type | some type, fields in data.tables.fields; fields.retention}

of_each(agency) := {concat("", ["f", type]): q.fetch(agency, type, ["ref"], {}).f0 | some type in entities}

shown_of_others := [ruling |
	some name, role in data.tables.roles
	role.queries
	agency := [one | some one in ["ERU", "NCB"]; not one in role.agencies][0]
	decision := gateway.decision with input as q.asked(name, role.agencies[0], role.purposes[0], of_each(agency))
	some ruling in decision.resources
	ruling.show == "records"
]

test_every_record_of_another_agency_is_shown_by_its_conditions if {
	count(shown_of_others) > 60
	every ruling in shown_of_others {
		first(ruling.whole, {"handling": "P"}) == "CLEAR"
		first(ruling.whole, {"handling": "C", "conditions": ["NO_ONWARD"]}) == "CLEAR"
		every one in [[], ["REFERENCE_ONLY"], ["NO_ACTION_WITHOUT_ORIGINATOR"], ["UNLISTED"], ["EXPIRES"]] {
			first(ruling.whole, {"handling": "C", "conditions": one}) == "HIT_ONLY"
		}
	}
}

test_its_own_agency_is_not_bound if {
	decision := gateway.decision with input as q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", report)
	decision.resources.f0.whole == "CLEAR"
	not decision.resources.f0.notes["*"]
}

# A person has no units, purposes or days of their own to say: what would need them is a hit.
test_what_a_type_cannot_say_it_is_not_shown_by if {
	person := q.asked("arrival_officer", "SCP", "PROTECT_VULNERABLE", q.fetch("ERU", "Person", ["ref"], {}))
	every name, expected in {
		"NOTIFY_ORIGINATOR": "CLEAR",
		"NO_ONWARD": "CLEAR",
		"NAMED_UNIT_ONLY": "HIT_ONLY",
		"NAMED_PURPOSE_ONLY": "HIT_ONLY",
		"EXPIRES": "HIT_ONLY",
		"SANITISED_ONLY": "HIT_ONLY",
	} {
		manner(person, {"conditions": [name], "named_units": ["SCP"]}) == expected
	}
}

paragraphs := object.union(report, q.person("ERU", "paragraphs", "ReportParagraph", ["text"]))

test_paragraphs_are_shown_by_their_own_conditions if {
	question := q.asked("arrival_officer", "SCP", "PROTECT_VULNERABLE", {
		"f0": report.f0,
		"f0.paragraphs": paragraphs["f0.paragraphs"],
	})
	decision := gateway.decision with input as question
	cases := decision.resources["f0.paragraphs"].whole
	first(cases, {"handling": "P"}) == "CLEAR"
	every name, expected in {
		"NO_ONWARD": "CLEAR",
		"NO_COURT_USE": "CLEAR",
		"NOTIFY_ORIGINATOR": "HIT_ONLY",
		"SANITISED_ONLY": "HIT_ONLY",
		"NAMED_UNIT_ONLY": "HIT_ONLY",
		"REFERENCE_ONLY": "HIT_ONLY",
	} {
		first(cases, {"handling": "C", "conditions": [name], "named_units": ["SCP"]}) == expected
	}
	decision.resources["f0.paragraphs"].notes["*"].action == "requestRelease"
}

test_elements_without_a_code_of_their_own_are_as_their_record if {
	decision := gateway.decision with input as q.asked("arrival_officer", "SCP", "PROTECT_VULNERABLE", q.person("ERU", "names", "PersonName", ["full"]))
	decision.resources["f0.names"].whole == "CLEAR"
}

# --- the owner is told of each reading, if the condition says so ---

told_of(decision) := {one.attributes.resource: one.attributes |
	some one in decision.obligations
	one.type == "notify_owner"
	one.attributes.about == "RECORD_SHOWN"
}

test_the_owner_is_told_of_what_is_shown_on_that_condition if {
	decision := gateway.decision with input as arrival
	wire := told_of(decision).f0
	[wire.agency, wire.desks.ERU.desk, wire.due_s] == ["ERU", "eru-intel", data.tables.handling.notify_due_s]
	wire.rows.value == [lib.one_of("conditions", ["NOTIFY_ORIGINATOR"])]
	every question in [
		q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", report),
		q.asked("response_officer", "NMC", "PREVENT_DETECT_CRIME", report),
		q.asked("canary", "GATEWAY", "ENFORCEMENT_CHECK", q.fetch("ERU", "Person", ["ref"], {})),
	] {
		other := gateway.decision with input as question
		count(told_of(other)) == 0
	}
	none := gateway.decision with input as arrival with data.tables.handling.listed as ["NO_ONWARD"]
	count(told_of(none)) == 0
	silent := gateway.decision with input as arrival with data.agencies.eru.consents as false
	count(told_of(silent)) == 0
}

test_without_a_desk_to_tell_it_is_a_hit if {
	decision := gateway.decision with input as arrival
		with data.tables.agencies as json.remove(data.tables.agencies, ["ERU/desk"])
	first(decision.resources.f0.whole, {"handling": "C", "conditions": ["NOTIFY_ORIGINATOR"]}) == "HIT_ONLY"
	decision.resources.f0.notes["*"].desk == "gateway"
}

test_without_training_conditions_are_not_read if {
	decision := gateway.decision with input as q.with_subject(arrival, {"training": []})
	decision.resources.f0.show == "hit"
}

# --- the line that an officer at the door needs ---

test_the_sanitised_line_is_told_where_it_bears_on_safety if {
	named(response, {"handling": "P", "bears_on_safety": true}) == "SANITISED_TEXT"
	named(response, {"handling": "P", "bears_on_safety": false}) == "HIT_ONLY"
	named(response, {"handling": "C", "bears_on_safety": true}) == "HIT_ONLY"
	decision := gateway.decision with input as response
	object.keys(decision.resources.f0.read) == {"ref"}
	decision.resources.f0.notes.ref.desk == "eru-intel"
	other := gateway.decision with input as q.with_context(response, {"purpose": "PREVENT_DETECT_CRIME"})
	other.resources.f0.show == "hit"
}

test_who_keeps_back_the_sanitised_text_keeps_back_the_line if {
	decision := gateway.decision with input as response with data.agencies.eru.hide as {"f0": {"sanitised_text"}}
	[one.as | some one in decision.resources.f0.read.ref] == ["HIT_ONLY", "HIT_ONLY"]
	plain := gateway.decision with input as response with data.agencies.eru.hide as {"f0": {"title"}}
	[one.as | some one in plain.resources.f0.read.ref] == ["SANITISED_TEXT", "HIT_ONLY"]
	arrived := gateway.decision with input as arrival with data.agencies.eru.hide as {"f0": {"sanitised_text"}}
	{one.as | some one in arrived.resources.f0.whole} == {"CLEAR", "HIT_ONLY"}
	not arrived.resources.f0.read.sanitised_text
}

# --- the text of a report whose paragraphs have codes of their own ---

told := q.fetch("ERU", "IntelligenceReport", ["ref", "text"], {})

text_manner(question, record) := [one.as |
	some one in decision.resources.f0.read.text
	holds(one.when, record)
][0] if {
	decision := gateway.decision with input as question
}

test_a_text_is_clear_only_where_every_paragraph_may_be_shown if {
	bureau := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", told)
	every question in [bureau, q.asked("arrival_officer", "SCP", "PROTECT_VULNERABLE", told)] {
		text_manner(question, {"handling": "P", "restricted_paragraph": false}) == "CLEAR"
		text_manner(question, {"handling": "P", "restricted_paragraph": true}) == "SANITISED_TEXT"
		text_manner(question, {"handling": "P"}) == "SANITISED_TEXT"
		decision := gateway.decision with input as question
		decision.resources.f0.notes[_].action == "requestRelease"
		object.keys(decision.resources.f0.notes) == {"*", "?", "text"}
	}
	safety := q.asked("bureau_officer", "NCB", "OFFICER_SAFETY", told)
	text_manner(safety, {"handling": "P", "restricted_paragraph": false}) == "CLEAR"
	text_manner(safety, {"handling": "C", "restricted_paragraph": false}) == "HIT_ONLY"
}

test_its_owner_reads_the_whole_text if {
	decision := gateway.decision with input as q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", told)
	decision.resources.f0.read.text == "CLEAR"
}

test_a_text_without_the_sanitised_line_tells_nothing if {
	bureau := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", told)
	decision := gateway.decision with input as bureau with data.agencies.eru.hide as {"f0": {"sanitised_text"}}
	{one.as | some one in decision.resources.f0.read.text} == {"CLEAR", "NULL"}
}

test_whoever_reads_reports_of_others_reads_the_text_by_its_paragraphs if {
	every cells in data.tables.matrix.IntelligenceReport {
		every cell in cells {
			by_paragraphs(data.tables.outcomes[others(cell)])
		}
	}
}

others(cell) := cell if is_string(cell)

others(cell) := cell.other if is_object(cell)

by_paragraphs(outcome) if outcome.show != "records"

by_paragraphs(outcome) if outcome.read.text == "BY_PARAGRAPHS"

by_paragraphs(outcome) if outcome.read["*"] == ""

test_a_plain_manner_is_kept_as_it_is if {
	own := q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", report)
	decision := gateway.decision with input as own with data.agencies.eru.hide as {"f0": {"sanitised_text"}}
	decision.resources.f0.read == {"ref": "CLEAR", "urn": "CLEAR"}
}
