package gateway.lib_test

import data.gateway.lib

# --- each word, as the gateway reads it ---

test_a_comparison_names_its_field_its_operator_and_its_value if {
	every operator, made in {
		"eq": lib.eq("sex", "MALE"),
		"in": lib.one_of("sex", "MALE"),
		"lt": lib.before("sex", "MALE"),
		"ne": lib.compare("sex", "ne", "MALE"),
	} {
		made == {"type": "field", "field": "sex", "operator": operator, "value": "MALE"}
	}
	lib.is_null("sex") == {"type": "field", "field": "sex", "operator": "is_null"}
}

test_parts_are_joined_by_and_or_or if {
	lib.all_of(["a", "b"]) == {"type": "compound", "operator": "and", "value": ["a", "b"]}
	lib.any_of(["a", "b"]) == {"type": "compound", "operator": "or", "value": ["a", "b"]}
}

test_one_value_is_compared_and_several_or_none_are_listed if {
	lib.only_parts({"a": ["x"]}) == [lib.eq("a", "x")]
	lib.only_parts({"a": ["x", "y"]}) == [lib.one_of("a", ["x", "y"])]
	lib.only_parts({"a": []}) == [lib.one_of("a", [])]
}

# --- what a question asks for ---

question := {"resources": {
	"f0": {"agency": "SCP", "entity": "Person", "read": ["sex", "native_key"], "uses": {}},
	"f0.safeguarding": {"agency": "SCP", "entity": "SafeguardFlag", "read": ["kind"], "uses": {}},
	"f1": {"agency": "NIS", "entity": "FaceCandidate", "read": [], "uses": {"face": ["likeness"]}},
}}

test_resources_are_found_by_agency_and_by_kind if {
	lib.of_agency("SCP") == {"f0", "f0.safeguarding"} with input as question
	lib.of_agency("NCB") == set() with input as question
	lib.of_type("Person") == {"f0"} with input as question
	lib.of_type("Vehicle") == set() with input as question
	lib.safeguarding == {"f0.safeguarding"} with input as question
}

test_classes_are_those_of_the_fields_that_are_read if {
	lib.entities == {"Person", "SafeguardFlag", "FaceCandidate"} with input as question
	lib.classes == {data.tables.fields.Person.sex[0], "S5"} with input as question
}

test_a_search_by_face_is_one_that_uses_a_likeness if {
	lib.asks_by_face with input as question
	not lib.asks_by_face with input as json.remove(question, ["resources/f1/uses/face"])
}
