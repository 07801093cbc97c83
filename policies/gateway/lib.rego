# METADATA
# title: Words for conditions and questions
# description: A condition is data (a subset of UCAST) that a source applies and the gateway re-checks.
package gateway.lib

import data.gateway.subject

# METADATA
# title: One comparison of a field with a value
compare(field, operator, value) := {
	"type": "field",
	"field": field,
	"operator": operator,
	"value": value,
}

# METADATA
# title: The field holds exactly this value
eq(field, value) := compare(field, "eq", value)

# METADATA
# title: The field holds one of these values
one_of(field, values) := compare(field, "in", values)

# METADATA
# title: The field holds nothing
is_null(field) := {
	"type": "field",
	"field": field,
	"operator": "is_null",
}

# METADATA
# title: The field holds a value before this one
before(field, value) := compare(field, "lt", value)

# METADATA
# title: All of the parts hold; of nothing, always
all_of(parts) := {"type": "compound", "operator": "and", "value": parts}

# METADATA
# title: Any of the parts holds; of nothing, never
any_of(parts) := {"type": "compound", "operator": "or", "value": parts}

# METADATA
# title: Each field holds one of the values listed for it, as parts of a condition
only_parts(listed) := [among(field, values) | some field, values in listed]

# METADATA
# title: The same as one condition; of nothing, always
only(listed) := all_of(only_parts(listed))

# METADATA
# title: The field holds the only value listed, or one of them
among(field, values) := compare(field, "eq", values[0]) if count(values) == 1

among(field, values) := one_of(field, values) if count(values) != 1

# METADATA
# title: Resources by whose agency's data they are
of_agency(code) := object.get(by_agency, code, set())

# METADATA
# title: Resources of one entity or component
of_type(name) := object.get(by_type, name, set())

# METADATA
# title: Resources that tell of safeguarding
safeguarding := of_type("SafeguardFlag")

# METADATA
# title: The resources of each agency, grouped once for all who ask
by_agency[resource.agency] contains id if some id, resource in input.resources

# METADATA
# title: The resources of each type, grouped once
by_type[resource.entity] contains id if some id, resource in input.resources

# METADATA
# title: Something in the question is searched for by a face
asks_by_face if {
	some resource in input.resources
	resource.uses.face
}

# METADATA
# title: The person has a training that counts for this question
# custom:
#   owner: all agencies
#   reason: Training that nobody has vouched for lately is none. Ask the gateway desk.
trained(name) if name in subject.training

# METADATA
# title: The desk that is told when another does not answer in time
# custom:
#   owner: all agencies
#   reason: Somebody is awake when a life depends on it. Ask the gateway desk.
on_call(desk) := object.get(data.tables.casework.on_call, desk, data.tables.casework.on_call["*"])

# METADATA
# title: The entities and components that are asked for
entities := object.keys(by_type)

# METADATA
# title: The fields that are read, each once, however many agencies are asked for it
reading := {[resource.entity, resource.read] | some resource in input.resources}

# METADATA
# title: The classes of sensitivity that are read
# custom:
#   owner: all agencies
#   reason: How sensitive a field is does not depend on who holds it. Ask the gateway desk.
classes := {class |
	some [entity, read] in reading
	some field in read
	class := data.tables.fields[entity][field][0]
}
