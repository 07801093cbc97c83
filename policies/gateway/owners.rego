# METADATA
# title: What the agencies say
# description: >-
#   The owner of a resource and the agency of the person who asks may each withhold, silence, hide
#   fields, take back uses of them and narrow rows. Nothing that an agency can write widens anything.
package gateway.owners

import data.gateway.lib

# Of all resources at once: an agency's rule asked one resource at a time is worked out anew each time.

# METADATA
# title: The agencies whose data are asked for
asked := object.keys(lib.by_agency)

# METADATA
# title: The agencies that have a say, which are those whose data are asked for, and the one that asks
# custom:
#   owner: all agencies
#   reason: Nobody else has a say on what passes between two agencies. No desk can change it.
parties := {lower(agency) | some agency in (asked | {input.subject.agency})}

# METADATA
# title: An agency has a say on its own data and on what its own people are shown
# custom:
#   owner: all agencies
#   reason: Each agency answers for its own data and its own people. No desk can change it.
has_say(agency, id) if agency in {lower(input.resources[id].agency), lower(input.subject.agency)}

# METADATA
# title: An owner without a policy of its own has agreed to nothing
# custom:
#   owner: all agencies
#   reason: Data stay with who answers for them. Ask the owner's desk.
consenting := {agency | some agency in asked; data.agencies[lower(agency)].consents}

# METADATA
# title: Withheld by an agency, in its words
# custom:
#   owner: all agencies
#   reason: Data stay with who answers for them. Ask the desk that the note names.
withheld := {id: sort(notes)[0] |
	some id in {id | some agency in parties; some id, _ in data.agencies[agency].withhold}
	notes := [note |
		some agency in parties
		has_say(agency, id)
		note := data.agencies[agency].withhold[id]
	]
}

# METADATA
# title: Answered as if nothing were held
# custom:
#   owner: all agencies
#   reason: That a record exists can endanger somebody. No desk can change it.
silent := {id |
	some agency in parties
	some id in data.agencies[agency].silence
	has_say(agency, id)
}

# METADATA
# title: Fields that agencies keep back, each with which
# custom:
#   owner: all agencies
#   reason: Data stay with who answers for them. Ask the desk that the note names.
hidden[id][field] contains agency if {
	some agency in parties
	some id, fields in data.agencies[agency].hide
	has_say(agency, id)
	some field in fields
}

# METADATA
# title: Uses of fields that agencies take back, each with which agencies
# description: What is hidden is not told by asking who bears it, or by matching it, either.
# custom:
#   owner: all agencies
#   reason: What may not be read must not be found out by searching either. Ask the desk that the note names.
not_used[id][use][field] contains agency if {
	some agency in parties
	some id, uses in data.agencies[agency].not_uses
	has_say(agency, id)
	some use, fields in uses
	some field in fields
}

not_used[id][use][field] contains agency if {
	some id, fields in hidden
	some field, agencies in fields
	some agency in agencies
	some use in ["identify", "match"]
}

# METADATA
# title: The same, of a part's fields also as its record's criteria name them
# custom:
#   owner: all agencies
#   reason: What may not be read must not be found out by searching either. Ask the desk that the note names.
taken_back := object.union(not_used, as_criteria)

# METADATA
# title: Uses of a part's fields as its record's criteria name them, "identifiers.value"
# custom:
#   owner: all agencies
#   reason: What may not be read must not be found out by searching either. Ask the desk that the note names.
as_criteria[fetch][use][concat(".", [path, field])] contains agency if {
	some id, uses in not_used
	contains(id, ".")
	fetch := split(id, ".")[0]
	path := substring(id, count(fetch) + 1, -1)
	some use, fields in uses
	some field, agencies in fields
	some agency in agencies
}

# METADATA
# title: Conditions that an agency adds
# custom:
#   owner: all agencies
#   reason: Data stay with who answers for them. Ask the owner's desk.
narrowed[id] contains rows if {
	some agency in parties
	some id, rows in data.agencies[agency].rows
	has_say(agency, id)
}

# METADATA
# title: Resources on which an agency has something to say, if only that it has not agreed
# custom:
#   owner: all agencies
#   reason: Who has agreed to nothing is asked for nothing. Ask the owner's desk.
touched := ((((silent | object.keys(withheld)) | object.keys(hidden)) | object.keys(narrowed)) | object.keys(taken_back)) | {id |
	some agency in (asked - consenting)
	some id in lib.of_agency(agency)
}
