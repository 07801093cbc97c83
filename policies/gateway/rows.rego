# METADATA
# title: Which rows may be seen
# description: Conditions written out as data, sent to the source and re-checked on every row.
package gateway.rows

import data.gateway.fields
import data.gateway.lib
import data.gateway.subject

# METADATA
# title: Overdue is not unlawful
# description: Records due for review stay searchable; what is to be disposed of never is.
retained := lib.one_of("retention", ["CURRENT", "REVIEW_DUE"])

# METADATA
# title: No record above the lower of the person's clearance and the role's ceiling
cleared := lib.one_of("marking", subject.markings)

# METADATA
# title: A silent record is seen by its owner's covert readers only
overt(resource) := [] if {
	subject.owns(resource)
	"covert_read" in input.subject.training
} else := [lib.eq("silent", false)]

# METADATA
# title: The victim firewall is up for this purpose
# description: >-
#   The switch belongs to the agencies together, not to the gateway. Only `firewall` has rules today;
#   any other setting keeps the firewall up until its own rules exist.
firewalled if {
	data.tables.switches.firewall in {"firewall", "protocol", "notify"}
	input.context.purpose in data.tables.switches.firewall_purposes
}

# METADATA
# title: Behind the firewall no record answers that stands on a victim's or a witness's role
no_victims := [lib.eq("victim", false)] if {
	firewalled
} else := []

# METADATA
# title: Only who was certainly grown up when the year began
adults(outcome) := [lib.before("date_of_birth", sprintf("%d-01-01", [year - 18]))] if {
	outcome.adult
	year := to_number(substring(input.context.time, 0, 4))
} else := []

# METADATA
# title: The guard of every record, whatever its kind
guard(id, resource) := [] if {
	fields.root[id] != id
} else := array.concat([retained, cleared], array.concat(overt(resource), no_victims))

# METADATA
# title: The rows of each resource that may be seen
rows[id] := lib.all_of(array.concat(guard(id, resource), array.concat(own, adults(outcome)))) if {
	some id, outcome in fields.outcome
	resource := input.resources[id]
	own := lib.only_parts(object.get(outcome, "only", {}))
}
