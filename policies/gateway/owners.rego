# METADATA
# title: What the agencies say
# description: >-
#   The owner of a resource and the agency of the person who asks may each withhold, silence, hide
#   fields and narrow rows. Nothing that an agency can write widens anything.
package gateway.owners

# METADATA
# title: The agencies that have a say, which are those whose data are asked for, and the one that asks
parties := {lower(resource.agency) | some resource in input.resources} | {lower(input.subject.agency)}

# METADATA
# title: An agency has a say on its own data and on what its own people are shown
has_say(agency, id) if agency in {lower(input.resources[id].agency), lower(input.subject.agency)}

# METADATA
# title: An owner without a policy of its own has agreed to nothing
# custom:
#   owner: all agencies
#   reason: Data stay with who answers for them.
consenting := {resource.agency |
	some resource in input.resources
	data.agencies[lower(resource.agency)].consents
}

# METADATA
# title: Withheld by an agency, in its words
withheld[id] := sort(notes)[0] if {
	some agency in parties
	some id, _ in data.agencies[agency].withhold
	notes := [note |
		some other in parties
		has_say(other, id)
		note := data.agencies[other].withhold[id]
	]
}

# METADATA
# title: Answered as if nothing were held
silent contains id if {
	some agency in parties
	some id in data.agencies[agency].silence
	has_say(agency, id)
}

# METADATA
# title: Fields that an agency keeps back
hidden[id] contains field if {
	some agency in parties
	some id, fields in data.agencies[agency].hide
	has_say(agency, id)
	some field in fields
}

# METADATA
# title: Conditions that an agency adds
narrowed[id] contains rows if {
	some agency in parties
	some id, rows in data.agencies[agency].rows
	has_say(agency, id)
}
