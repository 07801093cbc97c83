# METADATA
# title: Questions for the tests beside the rules
package gateway.questions_test

# METADATA
# title: A question by somebody with a role, for a purpose, with every permission of training
asked(role, agency, purpose, resources) := {
	"version": 1,
	"action": {"name": "query"},
	"subject": {
		"type": "officer",
		"id": "u-1",
		"agency": agency,
		"roles": [role],
		"clearance": "OS",
		"training": ["intelligence", "face_operator", "covert_read"],
		"on_duty": true,
		"as_at": {
			"posting": "2025-03-01T06:00:00Z",
			"training": "2025-03-01T06:00:00Z",
			"clearance": "2025-03-01T06:00:00Z",
			"on_duty": "2025-03-01T06:00:00Z",
		},
		"said_by": {
			"posting": "https://issuer.example",
			"training": "https://issuer.example",
			"clearance": "https://issuer.example",
			"on_duty": "https://issuer.example",
		},
		"app": "nmc-station",
	},
	"context": {
		"time": "2025-03-01T10:00:00Z",
		"query_id": "q",
		"purpose": purpose,
		"reason_code": "R06",
		"reason_given": true,
		"case_given": true,
		"case_form": object.get(data.tables.agencies, [agency, "case_forms", 0], null),
		"incident_given": true,
		"on_behalf_of": "u-2",
		"break_glass": false,
	},
	"resources": resources,
}

# METADATA
# title: One fetch of one entity
fetch(agency, entity, read, uses) := {"f0": {
	"source": lower(agency),
	"agency": agency,
	"entity": entity,
	"parent": null,
	"limit": 20,
	"read": read,
	"uses": uses,
}}

# METADATA
# title: A person with one component
person(agency, path, type, read) := object.union(fetch(agency, "Person", ["sex"], {}), {id: {
	"source": lower(agency),
	"agency": agency,
	"entity": type,
	"parent": "f0",
	"limit": 100,
	"read": read,
	"uses": {},
}}) if {
	id := concat(".", ["f0", path])
}

with_subject(question, changes) := object.union(question, {"subject": changes})

with_context(question, changes) := object.union(question, {"context": changes})
