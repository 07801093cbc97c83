# METADATA
# title: When the whole question is refused
# description: Words and desks are the table of refusals; the first that applies is said.
package gateway.refusals

import data.gateway.lib
import data.gateway.subject

# METADATA
# title: The name of the refusal that applies
# custom:
#   owner: all agencies
#   reason: A question without role, purpose and reason is nobody's business. Ask the gateway desk.
name := "question" if {
	not well_formed
} else := "agency" if {
	not data.tables.agencies[input.subject.agency]
} else := "app" if {
	not subject.app
} else := "stale" if {
	not current
} else := "no_queries" if {
	subject.barred
} else := "purpose" if {
	not subject.acting
} else := "on_duty" if {
	subject.role.on_duty == "required"
	not subject.on_duty
} else := "purpose_basis" if {
	not based
} else := "reason_code" if {
	not data.tables.reasons[input.context.reason_code]
} else := "reason" if {
	not reasoned
} else := "break_glass" if {
	input.context.break_glass
	not data.tables.obligations.break_glass.training in subject.training
} else := "on_behalf" if {
	subject.role.on_behalf
	not for_somebody
} else := "necessity" if {
	lib.asks_by_face
	input.context.reason_given != true
}

# METADATA
# title: The refusal in public words
# custom:
#   owner: all agencies
#   reason: Who is refused is told why. Ask the desk that the refusal names.
refusal := {"rule": concat(".", ["refuse", name]), "text": said.text, "desk": said.desk} if {
	said := data.tables.refusals[name]
}

# METADATA
# title: An officer's question of the version that these rules know
# custom:
#   owner: all agencies
#   reason: What these rules do not know they must not allow. No desk can change it.
well_formed if {
	input.version == 1
	input.action.name == "query"
	input.subject.type == "officer"
	is_object(input.resources)
	subject.levels[input.subject.clearance]
}

# METADATA
# title: Posting and clearance were said lately enough to be held at all
# custom:
#   owner: all agencies
#   reason: People change posts, and what was true of them last week may not be now. Ask the gateway desk.
current if {
	subject.fresh("posting")
	subject.fresh("clearance")
}

# METADATA
# title: A purpose without a basis and a review cannot be used
# custom:
#   owner: all agencies
#   reason: What no law allows and nobody reviews must not be done. Ask the gateway desk.
based if {
	subject.purpose.legal_basis != ""
	subject.purpose.reviewed_on != ""
	subject.purpose.review_by >= substring(input.context.time, 0, 10)
}

# METADATA
# title: Somebody else is named for whom the question is asked
# custom:
#   owner: all agencies
#   reason: Who asks for somebody else says for whom. No desk can change it.
for_somebody if {
	is_string(input.context.on_behalf_of)
	input.context.on_behalf_of != input.subject.id
}

# METADATA
# title: Structured context comes before free text
# custom:
#   owner: all agencies
#   reason: A reference can be checked afterwards, words less so. Ask the gateway desk.
reasoned if count(data.tables.reasons[input.context.reason_code].any) == 0

reasoned if {
	some kind in data.tables.reasons[input.context.reason_code].any
	given[kind] == true
}

# METADATA
# title: A case reference in a form that the asker's agency gives its cases; another is none
# custom:
#   owner: all agencies
#   reason: A reference that nobody can look up accounts for nothing. Ask the gateway desk.
default own_case := false

own_case if {
	input.context.case_given
	input.context.case_form in data.tables.agencies[input.subject.agency].case_forms
}

# METADATA
# title: What was given with the question, as the table of reasons names it
# custom:
#   owner: all agencies
#   reason: A question is judged by what came with it. No desk can change it.
given := {
	"incident": input.context.incident_given,
	"case": own_case,
	"reason": input.context.reason_given,
}
