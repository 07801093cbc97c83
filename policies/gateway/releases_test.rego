package gateway.releases_test

import data.gateway
import data.gateway.lib
import data.gateway.questions_test as q

released(changes) := object.union(
	{
		"id": "r-1",
		"resources": ["f0"],
		"fields": ["text"],
		"until": "2025-03-01T11:00:00Z",
		"opens": false,
	},
	changes,
)

report := q.fetch("ERU", "IntelligenceReport", ["ref", "text", "title", "urn"], {"filter": ["native_key"]})

# An officer who sees reports coded P, with their paragraphs and persons.
asking(role, agency, resources, releases) := object.union(
	q.asked(role, agency, "PREVENT_DETECT_CRIME", resources),
	{"releases": releases},
)

bureau(resources, releases) := asking("bureau_officer", "NCB", resources, releases)

ruling(question, id) := decision.resources[id] if {
	decision := gateway.decision with input as question
}

without := ruling(bureau(report, []), "f0")

ours := {"when": lib.eq("released", "r-1"), "as": "CLEAR"}

with_parts := object.union(report, {
	"f0.paragraphs": {
		"source": "eru", "agency": "ERU", "entity": "ReportParagraph", "parent": "f0", "limit": 100,
		"read": ["text"], "uses": {},
	},
	"f1": {
		"source": "eru", "agency": "ERU", "entity": "Person", "parent": "f0", "limit": 20,
		"read": ["ref", "sex"], "uses": {"link": ["native_key"]},
	},
})

# --- fields of a record that is seen ---

test_a_released_field_is_clear_in_its_record_first if {
	found := ruling(bureau(report, [released({})]), "f0")
	found.read.text == array.concat([ours], without.read.text)
}

test_a_release_changes_nothing_else_of_the_ruling if {
	found := ruling(bureau(with_parts, [released({})]), "f0")
	object.remove(found, ["read"]) == object.remove(without, ["read"])
	object.remove(found.read, ["text"]) == object.remove(without.read, ["text"])
	every id in ["f0.paragraphs", "f1"] {
		ruling(bureau(with_parts, [released({})]), id) == ruling(bureau(with_parts, []), id)
	}
}

test_a_release_that_has_ended_changes_nothing if {
	every until in ["2025-03-01T10:00:00Z", "2025-03-01T09:59:59Z"] {
		ruling(bureau(report, [released({"until": until})]), "f0") == without
	}
}

test_a_release_for_another_fetch_changes_nothing if {
	every resources in [[], ["f1"], ["f0.paragraphs"]] {
		ruling(bureau(with_parts, [released({"resources": resources})]), "f0") == without
	}
}

test_a_release_of_what_may_not_be_released_changes_nothing if {
	every field in ["native_key", "handling", "bears_on_safety", "paragraphs", "no_such"] {
		question := bureau(object.union(report, {"f0": {"read": ["ref", field]}}), [released({"fields": [field]})])
		plain := object.remove(question, ["releases"])
		ruling(question, "f0") == ruling(plain, "f0")
	}
}

test_a_release_reaches_no_higher_than_the_readers_clearance if {
	low := {"clearance": "O"}
	question := q.with_subject(bureau(report, [released({})]), low)
	ruling(question, "f0") == ruling(q.with_subject(bureau(report, []), low), "f0")
}

test_two_releases_are_two_cases if {
	found := ruling(bureau(report, [released({}), released({"id": "r-2", "fields": ["text", "title"]})]), "f0")
	count(found.read.text) == 2 + count(without.read.text)
	found.read.title == "CLEAR"
}

test_what_is_clear_stays_clear if {
	own := asking("rocu_analyst", "ERU", report, [released({})])
	ruling(own, "f0").read.text == "CLEAR"
}

test_a_masked_field_is_clear_in_its_record_and_masked_elsewhere if {
	group := q.fetch("NCB", "OrganisedGroup", ["ref", "name"], {})
	found := ruling(asking("rocu_analyst", "ERU", group, [released({"fields": ["name"]})]), "f0")
	found.read.name == [ours, {"when": lib.all_of([]), "as": "TOKEN"}]
}

test_a_field_that_is_denied_keeps_the_hits_of_its_record if {
	question := object.union(
		asking("response_officer", "NMC", report, [released({})]),
		{"context": {"purpose": "OFFICER_SAFETY", "reason_code": "R01"}},
	)
	found := ruling(question, "f0")
	hits := [one | some one in found.read.ref; one.as == "HIT_ONLY"]
	found.read.text == array.concat([ours], hits)
	not found.read.title
}

# --- a record that is a hit ---

test_a_hit_that_was_released_shows_its_name_and_the_released_fields_alone if {
	question := asking("response_officer", "NMC", with_parts, [released({"opens": true})])
	hit := ruling(asking("response_officer", "NMC", with_parts, []), "f0")
	hit.show == "hit"
	found := ruling(question, "f0")
	found.show == "records"
	found.read == {"ref": "CLEAR", "text": "CLEAR"}
	found.whole == "CLEAR"
	object.remove(found, ["show", "read", "whole"]) == object.remove(hit, ["show", "read", "whole"])
}

test_nothing_hangs_on_a_record_that_is_shown_by_its_release_alone if {
	question := bureau(with_parts, [released({"opens": true})])
	every id in ["f0.paragraphs", "f1"] {
		not ruling(question, id).show
		ruling(bureau(with_parts, []), id).show
	}
}

test_what_is_silent_or_withheld_is_never_released if {
	every opens in [true, false] {
		silent := object.union(
			asking("immigration_enforcement", "BID", report, [released({"opens": opens})]),
			{"context": {"purpose": "IMMIGRATION_CONTROL"}},
		)
		ruling(silent, "f0") == {"show": "silent"}
		group := q.fetch("ERU", "OrganisedGroup", ["ref", "name"], {})
		withheld := asking("response_officer", "NMC", group, [released({"opens": opens, "fields": ["name"]})])
		not ruling(withheld, "f0").show
	}
}

test_what_an_owner_keeps_back_is_not_released if {
	group := q.fetch("ERU", "OrganisedGroup", ["ref", "name"], {})
	question := asking("bureau_officer", "NCB", group, [released({"fields": ["name"]})])
	not ruling(q.with_subject(question, {"training": []}), "f0").read.name
}

test_a_partner_is_refused_by_the_owner_whatever_was_released if {
	question := asking("foreign_liaison", "PARTNER", report, [released({"opens": true})])
	found := ruling(object.union(question, {"context": {"purpose": "OIC_INVESTIGATION"}}), "f0")
	not found.show
	found.notes[""].rule == "eru.partners"
}

# --- no more than was released ---

test_of_an_opened_record_nothing_is_shown_that_was_clear_before if {
	opened := released({"opens": true})
	ruling(bureau(report, [opened]), "f0").read == {"ref": "CLEAR", "text": "CLEAR"}
	beside := released({"id": "r-2", "fields": ["title"]})
	ruling(bureau(report, [opened, beside]), "f0").read == {"ref": "CLEAR", "text": "CLEAR"}
}

test_a_hit_that_was_not_opened_stays_the_hit_it_was if {
	hit := ruling(asking("response_officer", "NMC", report, []), "f0")
	hit.show == "hit"
	ruling(asking("response_officer", "NMC", report, [released({})]), "f0") == hit
}

test_a_release_bears_on_records_and_not_on_their_parts if {
	every opens in [true, false] {
		one := released({"resources": ["f0.paragraphs"], "opens": opens})
		ruling(bureau(with_parts, [one]), "f0.paragraphs") == ruling(bureau(with_parts, []), "f0.paragraphs")
	}
}

test_what_is_silent_stays_so_beneath_an_opened_record if {
	decision := gateway.decision with input as bureau(with_parts, [released({"opens": true})])
		with data.tables.matrix.Person.bureau_officer as {"*": "silent"}
	decision.resources.f1 == {"show": "silent"}
}

test_a_released_field_that_was_not_asked_for_is_not_shown if {
	unasked := object.union(report, {"f0": {"read": ["ref"]}})
	ruling(bureau(unasked, [released({"opens": true})]), "f0").read == {"ref": "CLEAR"}
	object.keys(ruling(bureau(unasked, [released({})]), "f0").read) == {"ref"}
}
