package gateway.handling_test

import data.gateway
import data.gateway.lib
import data.gateway.questions_test as q

report := q.fetch("ERU", "IntelligenceReport", ["ref", "urn", "sanitised_text"], {})

arrival := q.asked("arrival_officer", "SCP", "PROTECT_VULNERABLE", report)

response := q.asked("response_officer", "NMC", "OFFICER_SAFETY", report)

# --- reading a decision as the gateway does: of cases the first that holds ---

manner(question, record) := [one.as |
	some one in decision.resources.f0.read.ref
	holds(one.when, object.union({"handling": "C"}, record))
][0] if {
	decision := gateway.decision with input as question
}

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
		["NOTIFY_ORIGINATOR"]: "HIT_ONLY",
		["REFERENCE_ONLY"]: "HIT_ONLY",
		["UNLISTED"]: "HIT_ONLY",
		["SANITISED_ONLY"]: "SANITISED_TEXT",
		["NO_ONWARD", "SANITISED_ONLY"]: "SANITISED_TEXT",
		["NO_ONWARD", "NOTIFY_ORIGINATOR"]: "HIT_ONLY",
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
	read := gateway.decision.resources.f0.read.ref with input as arrival
		with data.tables.agencies.SCP.units as ["COAST-DESK"]
	holds(read[3].when, object.union({"handling": "C"}, named))
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
		read := gateway.decision.resources.f0.read.ref with input as arrival
			with data.tables.handling.conditions as table
		read[1].as == "HIT_ONLY"
		holds(read[1].when, {"handling": "C", "conditions": ["NO_ONWARD", "NO_COURT_USE"]})
	}
}

test_every_condition_that_there_is_has_its_row if {
	{name | some name in data.tables.handling.listed} == object.keys(data.tables.handling.conditions)
	every row in data.tables.handling.conditions {
		row.kind in {"action", "sanitisation", "handling"}
		row.enforce in (data.gateway.handling.known_words | {"hit", "silent"})
	}
}

test_every_field_is_a_hit_by_the_same_cases if {
	decision := gateway.decision with input as arrival
	count({manner | some manner in decision.resources.f0.read}) == 1
}

test_without_training_conditions_are_not_read if {
	decision := gateway.decision with input as q.with_subject(arrival, {"training": []})
	decision.resources.f0.show == "hit"
}

# --- the line that an officer at the door needs ---

test_the_sanitised_line_is_told_where_it_bears_on_safety if {
	manner(response, {"handling": "P", "bears_on_safety": true}) == "SANITISED_TEXT"
	manner(response, {"handling": "P", "bears_on_safety": false}) == "HIT_ONLY"
	manner(response, {"handling": "C", "bears_on_safety": true}) == "HIT_ONLY"
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
	not "SANITISED_TEXT" in {one.as | some one in arrived.resources.f0.read.ref}
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
		text_manner(question, {"handling": "C", "conditions": [], "restricted_paragraph": false}) == "HIT_ONLY"
		decision := gateway.decision with input as question
		decision.resources.f0.notes[_].action == "requestRelease"
	}
	noted := gateway.decision with input as q.asked("arrival_officer", "SCP", "PROTECT_VULNERABLE", told)
	object.keys(noted.resources.f0.notes) == {"ref", "text"}
}

test_its_owner_reads_the_whole_text if {
	decision := gateway.decision with input as q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", told)
	decision.resources.f0.read.text == "CLEAR"
}

test_a_text_without_the_sanitised_line_tells_nothing if {
	bureau := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", told)
	decision := gateway.decision with input as bureau with data.agencies.eru.hide as {"f0": {"sanitised_text"}}
	{one.as | some one in decision.resources.f0.read.text} == {"CLEAR", "NULL", "HIT_ONLY"}
}

test_whoever_reads_paragraphs_by_their_codes_reads_the_text_so if {
	every role, cells in data.tables.matrix["IntelligenceReport.paragraphs"] {
		every purpose, cell in cells {
			every pair in pairs(data.tables.matrix.IntelligenceReport[role][purpose], cell) {
				alike(pair)
			}
		}
	}
}

pairs(whole, cell) := [[whole, cell]] if is_string(cell)

pairs(whole, cell) := [[whole[side], word] | some side, word in cell] if is_object(cell)

alike(pair) if data.tables.outcomes[pair[1]].read["*"] == "CLEAR"

alike(pair) if data.tables.outcomes[pair[0]].read.text == "BY_PARAGRAPHS"

test_a_plain_manner_is_kept_as_it_is if {
	own := q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", report)
	decision := gateway.decision with input as own with data.agencies.eru.hide as {"f0": {"sanitised_text"}}
	decision.resources.f0.read == {"ref": "CLEAR", "urn": "CLEAR"}
}
