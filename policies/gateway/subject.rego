# METADATA
# title: In which role somebody asks
# description: A person acts in exactly one role per question, so that roles never add up.
package gateway.subject

# METADATA
# title: Every role that there is
roles := data.tables.roles

# METADATA
# title: Roles that the subject's agency may give
# custom:
#   owner: all agencies
#   reason: An agency vouches for its own people only.
held := {name | some name in input.subject.roles; input.subject.agency in roles[name].agencies}

# METADATA
# title: Somebody whose work is in the consoles asks no questions, whatever else they hold
# custom:
#   owner: all agencies
#   reason: Who sets or audits the rules must not also use them.
barred if {
	some name in input.subject.roles
	not roles[name].queries
}

# METADATA
# title: The role that holds the purpose; of several the one with the lowest rank
# custom:
#   owner: all agencies
#   reason: Two roles together would be a permission that nobody gave.
acting := ordered[0][1] if {
	ordered := sort([[roles[name].rank, name] |
		some name in held
		input.context.purpose in roles[name].purposes
	])
}

# METADATA
# title: The row of the role somebody acts in
role := roles[acting]

# METADATA
# title: The column of the matrix for the role
column := role.column

# METADATA
# title: The row of the purpose asked for
purpose := data.tables.purposes[input.context.purpose]

# METADATA
# title: Every clearance that there is
levels := data.tables.clearances

# METADATA
# title: The lower of the person's clearance and the role's ceiling
# custom:
#   owner: all agencies
#   reason: A high clearance is no need to know.
clearance := input.subject.clearance if {
	levels[input.subject.clearance].rank <= levels[role.clearance].rank
} else := role.clearance if {
	levels[input.subject.clearance]
}

# METADATA
# title: Markings of records that the clearance reaches
markings := levels[clearance].markings

# METADATA
# title: Markings of fields that the clearance reaches
field_markings := levels[clearance].fields
