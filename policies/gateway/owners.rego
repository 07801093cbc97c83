# METADATA
# title: What the agencies say
# description: >-
#   The owner of a resource and the agency of the person who asks may each withhold, silence, hide
#   fields and narrow rows. Nothing that an agency can write widens anything.
package gateway.owners

# METADATA
# title: The agencies that have a say on a resource
parties[id] := {lower(resource.agency), lower(input.subject.agency)} if {
	some id, resource in input.resources
}

# METADATA
# title: An owner without a policy of its own has agreed to nothing
consents[id] if {
	some id, resource in input.resources
	data.agencies[lower(resource.agency)].consents
}

# METADATA
# title: Withheld by an agency, in its words
withheld[id] := notes[0] if {
	some id, agencies in parties
	notes := [note | some agency in agencies; note := data.agencies[agency].withhold[id]]
	count(notes) > 0
}

# METADATA
# title: Answered as if nothing were held
silent contains id if {
	some id, agencies in parties
	some agency in agencies
	id in data.agencies[agency].silence
}

# METADATA
# title: Fields that an agency keeps back
hidden[id] := {field |
	some agency in agencies
	some field in data.agencies[agency].hide[id]
} if {
	some id, agencies in parties
}

# METADATA
# title: Conditions that an agency adds
narrowed[id] := [rows | some agency in agencies; rows := data.agencies[agency].rows[id]] if {
	some id, agencies in parties
}
