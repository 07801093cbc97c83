# METADATA
# title: Which rows may be seen
# description: Conditions written out as data, sent to the source and re-checked on every row.
package gateway.rows

import data.gateway.firewall
import data.gateway.lib
import data.gateway.subject

# METADATA
# title: Overdue is not unlawful
# description: Records due for review stay searchable; what is to be disposed of never is.
# custom:
#   owner: all agencies
#   reason: A late review must not hide a danger, and what is disposed of is gone. No desk can change it.
retained := lib.one_of("retention", ["CURRENT", "REVIEW_DUE"])

# METADATA
# title: No record above the lower of the person's clearance and the role's ceiling
# custom:
#   owner: all agencies
#   reason: A marking is the owner's word on who may read. No desk can change it.
cleared := lib.one_of("marking", subject.markings)

# METADATA
# title: Only what was collected for a purpose that agrees with this one
# custom:
#   owner: all agencies
#   reason: Data given for one purpose are not at hand for any other. No desk can change it.
agreeing := lib.one_of("collected_for", subject.purpose.agrees_with)

# METADATA
# title: A silent record is seen by its owner's covert readers only
# custom:
#   owner: all agencies
#   reason: That a record exists can endanger an operation or a person. No desk can change it.
overt(whose) := [] if {
	whose == "own"
	lib.trained("covert_read")
} else := [lib.eq("silent", false)]

# METADATA
# title: Only who was certainly grown up when the year began, and not by their own word alone
# description: >-
#   The year alone, so that of a date known by its year or month no day is too late. What other
#   records say of the same person's age the gateway looks up, wherever rows ask for it.
# custom:
#   owner: all agencies
#   reason: Children's records do not go abroad on a guess of their age. No desk can change it.
adults(outcome) := [lib.before("date_of_birth", sprintf("%d", [year - 18])), lib.eq("dob_claimed", false)] if {
	outcome.adult
	year := to_number(substring(input.context.time, 0, 4))
} else := []

# METADATA
# title: What holds for every record, whatever its kind and whoever it is about
# custom:
#   owner: all agencies
#   reason: No purpose makes a record lawful to read that its owner may not keep or share. No desk can change it.
lawful(whose) := array.concat([retained, cleared, agreeing], overt(whose))

# METADATA
# title: The guard of every record, whatever its kind; a component stands behind its record's
# custom:
#   owner: all agencies
#   reason: No purpose makes a record lawful to read that its owner may not keep or share. No desk can change it.
guard("record", whose) := array.concat(lawful(whose), firewall.rows)

guard("component", _) := []

# METADATA
# title: The conditions of an outcome on the rows of a record or of a component, all of which hold
# custom:
#   owner: all agencies
#   reason: Who sees which records was agreed by all agencies, word by word. Ask the gateway desk.
conditions(named, form, whose) := array.concat(guard(form, whose), added(named))

# METADATA
# title: The same, of the records that stand on a victim's or a witness's role
# custom:
#   owner: all agencies
#   reason: Who reports a crime must not be found through the report. Ask the public protection desk.
victims(named, whose) := array.concat(lawful(whose), array.concat([lib.eq("victim", true)], added(named)))

# METADATA
# title: The conditions that an outcome adds
# custom:
#   owner: all agencies
#   reason: Some records of a kind are for some purposes only. Ask the desk that the note names.
added(named) := array.concat(own, adults(outcome)) if {
	outcome := data.tables.outcomes[named]
	own := only(outcome)
}

# METADATA
# title: The conditions that an outcome itself sets; some outcomes show also what was placed for us
# custom:
#   owner: all agencies
#   reason: What one agency placed for another is told to that other. Ask the owner's desk.
only(outcome) := [lib.any_of(array.concat(parts, [lib.eq("placed_by", input.subject.agency)]))] if {
	outcome.or_placed_by_us
	parts := lib.only_parts(outcome.only)
} else := lib.only_parts(object.get(outcome, "only", {}))
