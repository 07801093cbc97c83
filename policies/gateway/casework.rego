# METADATA
# title: What somebody may do at /casework
# description: >-
#   One question for each action. What is not listed in the table of casework nobody may do. A record
#   that is not there, or is not the caller's to know of, comes without agency and kind.
package gateway.casework

import data.gateway.lib
import data.gateway.refusals
import data.gateway.subject

# METADATA
# title: Allowed with its terms, or refused in public words
# entrypoint: true
# custom:
#   owner: all agencies
#   reason: What is done beside a question is decided as a question is, or not done. No desk can change it.
decision := {
	"version": 1,
	"serial": data.tables.release.serial,
	"allow": true,
	"terms": terms,
} if {
	not name
} else := {
	"version": 1,
	"serial": data.tables.release.serial,
	"allow": false,
	"refuse": {"rule": concat(".", ["casework", name]), "text": said.text, "desk": said.desk},
} if {
	said := data.tables.refusals[name]
}

# METADATA
# title: The name of the refusal that applies
# custom:
#   owner: all agencies
#   reason: Only a desk of the agency that holds a record can say who else may see it. Ask that desk.
name := "question" if {
	not well_formed
} else := "agency" if {
	not data.tables.agencies[input.subject.agency]
} else := "role" if {
	not listed
} else := asking if {
	act == "requestRelease"
} else := "desk" if {
	act != "requestRelease"
	is_string(input.casework.agency)
	not input.casework.agency in theirs
} else := deciding if {
	act == "decideRelease"
} else := "own_request" if {
	act in {"countersign", "agreeToErasure", "agreeToLift"}
	input.casework.own
} else := budgeting if {
	act == "releaseBudget"
} else := "revocation" if {
	act == "revokeRelease"
	not data.tables.casework.revocation_codes[input.casework.revocation]
} else := "outcome" if {
	act == "recordOutcome"
	not data.tables.casework.outcomes[input.casework.outcome]
} else := "keeping" if {
	act in {"requestErasure", "placeHold", "liftHold"}
	not data.tables.casework.keeping_codes[act][input.casework.code]
}

# METADATA
# title: The agencies whose matters the caller may deal with
# description: >-
#   Their own; a supervisor also those that the table gives into their agency's care. Of what is kept
#   of the record, an overseer every agency's.
# custom:
#   owner: all agencies
#   reason: Whoever has nobody of their own to release them must not be stopped for good. Ask the gateway desk.
theirs := ({input.subject.agency} | {agency |
	act in {"countersign", "toCountersign", "releaseBudget"}
	some agency, by in data.tables.casework.supervised_by
	by == input.subject.agency
}) | {agency |
	act in keeping
	input.subject.agency in data.tables.casework.overseers
	some agency, _ in data.tables.agencies
}

# METADATA
# title: What is done to the record itself
keeping := {"requestErasure", "agreeToErasure", "erasures", "placeHold", "liftHold", "agreeToLift", "holds"}

# METADATA
# title: What is to be done
act := input.casework.act

# METADATA
# title: A question of the version that these rules know
# custom:
#   owner: all agencies
#   reason: What these rules do not know they must not allow. No desk can change it.
well_formed if {
	input.version == 1
	input.action.name == "casework"
	input.subject.type == "officer"
	is_string(act)
	subject.levels[input.subject.clearance]
}

# METADATA
# title: One of the roles that the table lists for the action, and none that goes ill with it
# custom:
#   owner: all agencies
#   reason: Who releases records must have no searches of their own to profit from. Ask the owner's desk.
listed if {
	some role in subject.held
	role in data.tables.casework.acts[act]
	every other in input.subject.roles {
		subject.roles[other].queries == subject.roles[role].queries
	}
}

# METADATA
# title: Why a release cannot be asked for
# custom:
#   owner: all agencies
#   reason: A desk must be able to see why somebody asks, and for how long. Ask the owner's desk.
asking := "purpose" if {
	not subject.acting
} else := "purpose_basis" if {
	not refusals.based
} else := "reason_code" if {
	not data.tables.reasons[input.context.reason_code]
} else := "reason" if {
	not refusals.reasoned
} else := "term" if {
	not in_time
} else := "releasable" if {
	count(input.casework.fields) == 0
} else := "releasable" if {
	is_string(input.casework.entity)
	some field in input.casework.fields
	not field in object.get(data.tables.casework.releasable, input.casework.entity, [])
}

# METADATA
# title: An urgency of the table, and no longer than it allows
# custom:
#   owner: all agencies
#   reason: A desk can only answer in time what says how urgent it is. Ask the gateway desk.
in_time if {
	data.tables.casework.urgencies[input.casework.urgency]
	brief
}

# METADATA
# title: For some time, and no longer than the table allows
# custom:
#   owner: all agencies
#   reason: What is released for ever is nobody's to look after. Ask the owner's desk.
brief if {
	input.casework.for_s > 0
	input.casework.for_s <= data.tables.casework.longest_s
}

# METADATA
# title: Why a request cannot be decided so
# custom:
#   owner: all agencies
#   reason: A desk gives no more than was asked for, and says why it gives nothing. Ask the desk that decided.
deciding := "own_request" if {
	input.casework.own
} else := "verdict" if {
	not granting
	not refusing
}

# METADATA
# title: Why nothing can be added to a budget
# custom:
#   owner: all agencies
#   reason: Somebody else than who used it up says how much more is needed, and for how long. Ask the owner's desk.
budgeting := "own_request" if {
	input.casework.own
} else := "budget" if {
	not enlarging
}

# METADATA
# title: A budget of the table, by no more than it allows and for no longer
# custom:
#   owner: all agencies
#   reason: More than a day needs is a way to copy a database. Ask the gateway desk.
enlarging if {
	data.tables.budgets.kinds[input.casework.budget]
	input.casework.extra > 0
	input.casework.extra <= data.tables.budgets.most_extra
	input.casework.for_s > 0
	input.casework.for_s <= data.tables.budgets.longest_s
}

# METADATA
# title: Some of the fields that were asked for, for a time
# custom:
#   owner: all agencies
#   reason: A desk opens what it was asked for, and for a time only. Ask the originator's desk.
granting if {
	is_null(input.casework.refusal)
	count(input.casework.fields) > 0
	brief
	every field in input.casework.fields {
		field in input.casework.asked
	}
}

# METADATA
# title: Nothing, with a code that says why
# custom:
#   owner: all agencies
#   reason: Somebody who is refused is told why. Ask the desk that refused.
refusing if {
	data.tables.casework.refusal_codes[input.casework.refusal]
	input.casework.fields == []
	is_null(input.casework.for_s)
}

# METADATA
# title: The terms of an action
# description: >-
#   Of a release whose desk is asked, whose is told when it does not answer, how soon it is to, and how
#   many may wait. Of notices the desks that the caller's agency has people at, whoever was told first.
#   Of colleagues' questions, and of what is kept of the record, the agencies whose they may be.
# custom:
#   owner: all agencies
#   reason: Who waits must know for whom, and how long. Ask the owner's desk.
terms := {
	"desk": desk,
	"on_call": lib.on_call(desk),
	"due_s": data.tables.casework.urgencies[input.casework.urgency].due_s,
	"most_waiting": most.officer,
	"most_of_record": most.record,
} if {
	act == "requestRelease"
	desk := data.tables.agencies[input.casework.agency].desk
	most := data.tables.casework.most_waiting
} else := {"desks": [desk | some desk, row in data.tables.desks; input.subject.agency in row.agencies]} if {
	act in {"notices", "acknowledgeNotice"}
} else := {"agencies": [agency | some agency in theirs]} if {
	act in ({"countersign", "toCountersign"} | keeping)
} else := {}
