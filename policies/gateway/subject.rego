# METADATA
# title: In which role somebody asks
# description: A person acts in exactly one role per question, so that roles never add up.
package gateway.subject

roles := data.tables.roles

# METADATA
# title: Roles that the subject's agency may give
held := {name | some name in input.subject.roles; input.subject.agency in roles[name].agencies}

# METADATA
# title: Somebody whose work is in the consoles asks no questions, whatever else they hold
barred if {
	some name in input.subject.roles
	not roles[name].queries
}

# METADATA
# title: The role that holds the purpose; of several the one with the lowest rank
acting := ordered[0][1] if {
	ordered := sort([[roles[name].rank, name] |
		some name in held
		input.context.purpose in roles[name].purposes
	])
}

role := roles[acting]

column := role.column

purpose := data.tables.purposes[input.context.purpose]

levels := data.tables.clearances

# METADATA
# title: The lower of the person's clearance and the role's ceiling
clearance := input.subject.clearance if {
	levels[input.subject.clearance].rank <= levels[role.clearance].rank
} else := role.clearance if {
	levels[input.subject.clearance]
}

markings := levels[clearance].markings

field_markings := levels[clearance].fields
