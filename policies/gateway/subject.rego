# METADATA
# title: In which role somebody asks
# description: A person acts in exactly one role per question, so that roles never add up.
package gateway.subject

# METADATA
# title: Every role that there is
# custom:
#   owner: all agencies
#   reason: A role is what all agencies agreed that it is. Ask the gateway desk.
roles := data.tables.roles

# METADATA
# title: Roles that the subject's agency may give
# custom:
#   owner: all agencies
#   reason: An agency vouches for its own people only. Ask the gateway desk.
held := {name |
	fresh("posting")
	some name in input.subject.roles
	input.subject.agency in roles[name].agencies
}

# METADATA
# title: An attribute that its source said lately enough; what is stale is not held
# custom:
#   owner: all agencies
#   reason: People move, training lapses and clearances end. Ask the gateway desk.
fresh(attribute) if {
	said := time.parse_rfc3339_ns(input.subject.as_at[attribute])
	age := time.parse_rfc3339_ns(input.context.time) - said
	age <= ((data.tables.limits.fresh_hours[attribute] * 3600) * 1000) * 1000000
}

# METADATA
# title: Somebody said lately enough that the person is on duty
# custom:
#   owner: all agencies
#   reason: Who is off duty has nobody to stop and nothing to look up. Ask the gateway desk.
on_duty if {
	input.subject.on_duty == true
	fresh("on_duty")
}

# METADATA
# title: Somebody whose work is in the consoles asks no questions, whatever else they hold
# custom:
#   owner: all agencies
#   reason: Who sets or audits the rules must not also use them. Ask the gateway desk.
barred if {
	some name in input.subject.roles
	not roles[name].queries
}

# METADATA
# title: The role that holds the purpose; of several the one with the lowest rank
# custom:
#   owner: all agencies
#   reason: Two roles together would be a permission that nobody gave. Ask the gateway desk.
acting := ordered[0][1] if {
	ordered := sort([[roles[name].rank, name] |
		some name in held
		input.context.purpose in roles[name].purposes
		input.context.purpose in principal(name).purposes
	])
}

# METADATA
# title: The role on whose behalf a role asks, if it asks for others; else itself
# custom:
#   owner: all agencies
#   reason: Who asks for somebody else has the narrower of both rights. Ask the gateway desk.
principal(name) := roles[roles[name].on_behalf] if {
	roles[name].on_behalf
} else := roles[name] if {
	not roles[name].on_behalf
}

# METADATA
# title: The row of the role somebody acts in
# custom:
#   owner: all agencies
#   reason: Somebody acts in one role at a time, and has no more than it gives. Ask the gateway desk.
role := roles[acting]

# METADATA
# title: The gateway itself asks, to see whether its rules hold
# description: >-
#   It is no officer whose silence an owner fears or who could copy a database, and it asks the same
#   every minute. What it may see is decided as for anybody.
# custom:
#   owner: all agencies
#   reason: The gateway asks for itself alone what nobody may see, and warns nobody. Ask the gateway desk.
unattended if role.unattended

# METADATA
# title: The column of the matrix for the role; on another's behalf one that both have
# custom:
#   owner: all agencies
#   reason: Who asks for another sees no more than either may. Ask the gateway desk.
column := role.column if role.column == principal(acting).column

# METADATA
# title: The rung of the ladder, the lower of both on another's behalf
# custom:
#   owner: all agencies
#   reason: Who asks for somebody else has the narrower of both rights. No desk can change it.
rung := min({data.tables.ladder.ranks[role.ladder], data.tables.ladder.ranks[principal(acting).ladder]})

# METADATA
# title: The training that counts; of whom somebody asks for none is known
# custom:
#   owner: all agencies
#   reason: Who asks for somebody else has the narrower of both rights. Ask the gateway desk.
training := [] if {
	role.on_behalf
} else := input.subject.training if {
	fresh("training")
} else := []

# METADATA
# title: The row of the purpose asked for
# custom:
#   owner: all agencies
#   reason: A purpose without a row has no basis. Ask the gateway desk.
purpose := data.tables.purposes[input.context.purpose]

# METADATA
# title: Every clearance that there is
# custom:
#   owner: all agencies
#   reason: A clearance is what all agencies agreed that it is. Ask the gateway desk.
levels := data.tables.clearances

# METADATA
# title: Where the question comes from; an app that is not registered is nowhere
# custom:
#   owner: all agencies
#   reason: An app that nobody registered may be anybody's. Ask the gateway desk.
app := data.tables.apps[input.subject.app]

# METADATA
# title: Each clearance that has a say, of the person, the role, whom they ask for, app and network
# custom:
#   owner: all agencies
#   reason: A high clearance is no need to know, and a screen in the street is no office. No desk can change it.
ceilings := [
	input.subject.clearance,
	role.clearance,
	principal(acting).clearance,
	app.clearance,
	data.tables.networks[app.network].clearance,
]

# METADATA
# title: The lowest of them
# custom:
#   owner: all agencies
#   reason: A high clearance is no need to know, and a screen in the street is no office. Ask the gateway desk.
clearance := ordered[0][1] if {
	ordered := sort([[levels[name].rank, name] | some name in ceilings])
	count(ordered) == count(ceilings)
}

# METADATA
# title: Markings of records that the clearance reaches
# custom:
#   owner: all agencies
#   reason: A marking is the owner's word on who may read. No desk can change it.
markings := levels[clearance].markings

# METADATA
# title: Markings of fields that the clearance reaches
# custom:
#   owner: all agencies
#   reason: A marking is the owner's word on who may read, field by field. No desk can change it.
field_markings := levels[clearance].fields
