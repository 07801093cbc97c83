package gateway.fields_test

import data.gateway
import data.gateway.lib
import data.gateway.questions_test as q

ruling(role, agency, purpose, resources, id) := decision.resources[id] if {
	decision := gateway.decision with input as q.asked(role, agency, purpose, resources)
}

# --- the tables agree with each other ---

words contains word if {
	some _, columns in data.tables.matrix
	some _, cells in columns
	some _, word in cells
	is_string(word)
}

words contains word if {
	some _, columns in data.tables.matrix
	some _, cells in columns
	some _, cell in cells
	is_object(cell)
	some side in ["own", "other"]
	word := cell[side]
}

test_every_word_of_the_matrix_is_an_outcome if {
	every word in words {
		data.tables.outcomes[word]
	}
}

test_every_outcome_is_used if {
	otherwise := {outcome.otherwise | some outcome in data.tables.outcomes}
	told := {word | some word in data.tables.switches.firewall_told}
	every word, _ in data.tables.outcomes {
		word in ((words | otherwise) | told)
	}
}

test_every_column_is_a_role_and_every_purpose_is_one if {
	columns := {role.column | some role in data.tables.roles} | {"*"}
	every row in data.tables.matrix {
		every column, cells in row {
			column in columns
			every purpose, _ in cells {
				purpose in (object.keys(data.tables.purposes) | {"*"})
			}
		}
	}
}

test_every_place_and_field_that_an_outcome_names_exists if {
	every place, _ in data.tables.matrix {
		parts := split(place, ">")
		type := split(parts[count(parts) - 1], ".")[0]
		data.tables.fields[type]
	}
}

# Of what is held back, by whatever word: each role asks for each field of each type, one of them of its
# own agency's data.
test_no_no_without_a_rule_a_desk_and_a_next_step if {
	every decision in everything {
		every id, resource in decision.resources {
			answered(id, resource)
		}
	}
	count(everything) > 10
}

everything := [decision |
	some name, role in data.tables.roles
	role.queries
	decision := gateway.decision with input as q.asked(name, role.agencies[0], role.purposes[0], all_of("NCB"))
]

all_of(agency) := {concat("", ["f-", type]): resource |
	some type, fields in data.tables.fields
	resource := q.fetch(agency, type, [field | some field, _ in fields], {}).f0
}

answered(_, resource) if resource.show == "silent"

answered(id, resource) if {
	every field, _ in data.tables.fields[trim_prefix(id, "f-")] {
		complete(said_of(resource, field))
	}
}

# As the gateway takes it: of the field, else of the resource, else of whatever has no other.
said_of(resource, field) := [note | some key in [field, "", "?"]; note := resource.notes[key]][0]

complete(note) if {
	note.rule != ""
	note.text != ""
	note.action in {"call", "refer", "requestRelease"}
	data.tables.desks[note.desk]
}

test_what_an_agency_keeps_back_names_it_and_its_desk if {
	question := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("ERU", "OrganisedGroup", ["name", "region"], {}))
	untrained := gateway.decision with input as q.with_subject(question, {"training": []})
	note := untrained.resources.f0.notes.name
	[note.rule, note.desk, note.action] == ["eru.hide", "eru-intel", "refer"]
	not untrained.resources.f0.notes.region
	ours := gateway.decision with input as question with data.agencies.ncb.hide as {"f0": {"region", "oic"}}
	[ours.resources.f0.notes.region.rule, ours.resources.f0.notes.region.desk] == ["ncb.hide", "ncb-intel"]
	not ours.resources.f0.notes.oic
	trained := gateway.decision with input as question
	not trained.resources.f0.notes.name
}

test_every_desk_is_in_the_table if {
	every agency in data.tables.agencies {
		data.tables.desks[agency.desk]
	}
	every refusal in data.tables.refusals {
		data.tables.desks[refusal.desk]
	}
}

# A referral number tells that there is a referral, so it is shown only where flags are clear.
test_referral_numbers_only_where_safeguarding_is_clear if {
	every name, role in data.tables.roles {
		every purpose in role.purposes {
			numbers := q.person("SCP", "identifiers", "Identifier", ["value"])
			flags := q.person("SCP", "safeguarding", "SafeguardFlag", ["kind"])
			question := q.asked(name, role.agencies[0], purpose, object.union(numbers, flags))
			decision := gateway.decision with input as question
			hides_referrals(decision)
		}
	}
}

hides_referrals(decision) if decision.refuse

hides_referrals(decision) if not decision.resources["f0.identifiers"].show

hides_referrals(decision) if {
	rows := decision.resources["f0.identifiers"].rows.value
	not "NRM_REF" in {kind | some row in rows; some kind in row.value}
}

hides_referrals(decision) if decision.resources["f0.safeguarding"].read.kind == "CLEAR"

# --- the most particular place wins ---

linked(parent) := object.union(q.fetch("NMC", parent, [], {}), {"f1": {
	"source": "nmc",
	"agency": "NMC",
	"entity": "Person",
	"parent": "f0",
	"limit": 20,
	"read": ["sex"],
	"uses": {},
}})

test_a_person_reached_over_a_vehicle_is_a_keeper if {
	not ruling("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", linked("Vehicle"), "f1").show
	ruling("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", linked("Encounter"), "f1").show == "records"
}

test_a_stop_is_for_police_and_its_desk_s_to_tell_border_officers if {
	stops := q.fetch("NMC", "Stop", ["power", "vrm"], {"filter": ["event_ref"]})
	ruling("response_officer", "NMC", "OFFICER_SAFETY", stops, "f0").read == {"power": "CLEAR", "vrm": "CLEAR"}
	kept := ruling("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", stops, "f0")
	not kept.show
	kept.notes[""].action == "refer"
}

warned(purpose) := ruling("response_officer", "NMC", purpose, place, "f0.warnings").rows if {
	place := object.union(q.fetch("NMC", "Location", ["kind"], {}), {"f0.warnings": {
		"source": "nmc",
		"agency": "NMC",
		"entity": "Warning",
		"parent": "f0",
		"limit": 100,
		"read": ["kind"],
		"uses": {},
	}})
}

test_a_place_s_overt_warnings_are_shown_and_those_of_health_for_safety_alone if {
	warned("OFFICER_SAFETY").value == [lib.eq("discreet", false)]
	warned("PROTECT_VULNERABLE").value == [lib.eq("discreet", false)]
	shown := warned("APPREHEND").value
	lib.eq("discreet", false) in shown
	[kinds] := [one.value | some one in shown; one.field == "kind"]
	"WEAPONS" in kinds
	not "MENTAL_HEALTH" in kinds
}

test_an_unlisted_component_follows_its_type if {
	ruling("response_officer", "NMC", "OFFICER_SAFETY", q.person("NMC", "names", "PersonName", ["full"]), "f0.names").read == {"full": "CLEAR"}
}

test_a_component_without_its_record_is_denied if {
	orphan := object.remove(q.person("NMC", "names", "PersonName", ["full"]), ["f0"])
	bare := gateway.decision with input as q.asked("response_officer", "NMC", "OFFICER_SAFETY", orphan)
	not bare.resources["f0.names"].show
}

# --- the ladder ---

test_a_field_nobody_named_follows_the_ladder if {
	low := ruling("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Person", ["sex", "mopi_group", "silent", "victim", "subject_roles", "identifiers"], {}), "f0")
	low.read == {"sex": "CLEAR", "identifiers": "CLEAR"}
	high := ruling("bureau_officer", "NCB", "OFFICER_SAFETY", q.fetch("NMC", "Person", ["sex", "mopi_group", "silent", "victim", "subject_roles"], {}), "f0")
	high.read == {"sex": "CLEAR", "mopi_group": "CLEAR"}
	named := ruling("bureau_officer", "NCB", "PROTECT_VULNERABLE", q.fetch("NMC", "Person", ["subject_roles"], {}), "f0")
	named.read == {"subject_roles": "CLEAR"}
}

test_the_ladder_never_reaches_intelligence_or_safeguarding if {
	every class in ["S4", "S5"] {
		ranks := data.tables.ladder.ranks
		ranks[class] > ranks[data.tables.ladder.highest]
	}
}

test_the_ladder_ends_whatever_a_roles_rung if {
	question := q.asked("bureau_officer", "NCB", "OIC_INVESTIGATION", q.fetch("ERU", "Disruption", ["date", "ref"], {}))
	decision := gateway.decision with input as question
		with data.tables.roles.bureau_officer.ladder as "S5"
		with data.tables.matrix.Disruption.bureau_officer as {"*": "ladder"}
	decision.resources.f0.read == {"ref": "CLEAR"}
}

test_nobody_searches_by_what_is_silent_to_them if {
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("SCP", "Person", [], {"filter": ["identifiers.value"]}))
	decision := gateway.decision with input as question
	decision.resources.f0.uses == {"filter": ["identifiers.value"]}
	silent := gateway.decision with input as question
		with data.tables.matrix["Person.identifiers"].response_officer as {"*": "silent"}
	silent.resources.f0.uses == {}
}

test_an_empty_word_denies_the_rest if {
	team := ruling("criminal_team", "BID", "OIC_INVESTIGATION", q.fetch("ERU", "OrganisedGroup", ["name", "region", "thematic_total"], {}), "f0")
	team.read == {"region": "CLEAR", "thematic_total": "BAND"}
}

# --- uses ---

test_a_use_of_a_component_needs_the_component if {
	uses := {"filter": ["names.family", "identifiers.value", "date_of_birth", "sex"]}
	officer := ruling("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Person", [], uses), "f0")
	officer.uses.filter == ["names.family", "identifiers.value", "date_of_birth"]
	liaison := ruling("foreign_liaison", "PARTNER", "OIC_INVESTIGATION", q.fetch("NMC", "Person", [], uses), "f0")
	liaison.uses.filter == ["names.family", "date_of_birth"]
}

test_an_outcome_takes_uses_back if {
	uses := {"filter": ["oic", "thematic_total"], "sort": ["thematic_total"]}
	team := ruling("criminal_team", "BID", "OIC_INVESTIGATION", q.fetch("ERU", "OrganisedGroup", [], uses), "f0")
	team.uses == {"filter": ["oic"]}
}

# A border officer reads a travel document from a person's hand, and finds that person by it.
test_border_officers_find_by_travel_documents if {
	every role in ["immigration_enforcement", "border_force"] {
		own := numbers(role, "BID")
		own.rows.value == [lib.one_of("kind", ["BORDER_PERSON", "BRP", "EVISA", "PASSPORT"])]
		own.read.value == "CLEAR"
		own.uses == {"filter": ["kind", "value"]}
		other := numbers(role, "NMC")
		other.rows.value == [lib.one_of("kind", ["BORDER_PERSON", "BRP", "EVISA", "PASSPORT", "PNCID"])]
		other.read.value[0] == {
			"when": lib.all_of([lib.one_of("kind", ["BRP", "EVISA", "PASSPORT", "PNCID"])]),
			"as": "LAST4",
		}
		other.uses == {"filter": ["kind", "value"]}
	}
}

numbers(role, agency) := ruling(role, "BID", "OFFICER_SAFETY", asked, "f0.identifiers") if {
	person := q.person(agency, "identifiers", "Identifier", ["kind", "value"])
	asked := object.union(person, {"f0.identifiers": {"uses": {"filter": ["kind", "value"]}}})
}

# --- training ---

test_without_training_intelligence_is_a_hit if {
	question := q.asked("rocu_analyst", "ERU", "OIC_INVESTIGATION", q.fetch("ERU", "IntelligenceReport", ["urn"], {}))
	trained := gateway.decision with input as question
	trained.resources.f0.read == {"urn": "CLEAR"}
	untrained := gateway.decision with input as q.with_subject(question, {"training": []})
	untrained.resources.f0.show == "hit"
	untrained.resources.f0.limit == 1
	untrained.resources.f0.notes[""].desk == "eru-intel"
}

test_health_warnings_are_for_custody_and_for_no_other_reason if {
	asked := q.asked("response_officer", "NMC", "APPREHEND", q.person("SCP", "warnings", "Warning", ["kind"]))
	custody := gateway.decision with input as q.with_context(asked, {"reason_code": "R03"})
	custody.resources["f0.warnings"].rows == lib.all_of([])
	other := gateway.decision with input as q.with_context(asked, {"reason_code": "R06"})
	not "MENTAL_HEALTH" in other.resources["f0.warnings"].rows.value[0].value
	other.resources["f0.warnings"].notes[""].rule == "Person.warnings:warnings_overt"
}

test_a_component_has_uses_of_its_own if {
	numbers := q.person("NMC", "identifiers", "Identifier", ["value"])
	asked := object.union(numbers, {"f0.identifiers": {"uses": {"reveal": ["names", "sex"], "match": ["value"]}}})
	officer := ruling("response_officer", "NMC", "OFFICER_SAFETY", asked, "f0.identifiers")
	officer.uses == {"reveal": ["names"], "match": ["value"]}
}

# Who reads the account of their own force's event reads where it was: the account tells it anyway.
test_places_of_own_events_are_whole_for_safeguarding if {
	every agency, shown in {"NMC": "CLEAR", "SCP": "FIRST_OUT"} {
		event := q.fetch(agency, "Incident", ["narrative"], {})
		where := {"f0.where": object.union(event.f0, {"entity": "Place", "parent": "f0", "read": ["postcode"]})}
		place := ruling("response_officer", "NMC", "PROTECT_VULNERABLE", object.union(event, where), "f0.where")
		place.read == {"postcode": shown}
		other := ruling("response_officer", "NMC", "OFFICER_SAFETY", object.union(event, where), "f0.where")
		other.read == {"postcode": "FIRST_OUT"}
	}
}

# --- children ---

helping := ["PROTECT_VULNERABLE", "MISSING_PERSON"]

# A child's flag and a missing person's are clear to whoever helps, whoever holds them.
test_child_and_missing_flags_are_never_masked_from_who_helps if {
	every name, role in data.tables.roles {
		every purpose in [one | some one in role.purposes; one in helping] {
			every agency in ["NMC", "SCP", "BID", "NCB"] {
				flags := q.person(agency, "safeguarding", "SafeguardFlag", ["kind", "state"])
				told := ruling(name, role.agencies[0], purpose, flags, "f0.safeguarding")
				every kind in ["CHILD", "MISSING_HISTORY"] {
					told.show == "records"
					every row in told.rows.value {
						kind in row.value
					}
					every manner in told.read {
						clear_for(manner, kind)
					}
					object.keys(told.read) == {"kind", "state"}
				}
			}
		}
	}
}

clear_for(manner, _) if manner == "CLEAR"

clear_for(manner, kind) if {
	manner[0].as == "CLEAR"
	some row in manner[0].when.value
	kind in row.value
}

# --- what the tables may say of a field ---

test_a_field_that_holds_a_component_is_left_to_the_component if {
	holding := ["offending", "safeguarding", "immigration"]
	shown := ruling("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Person", holding, {}), "f0")
	shown.read == {field: "CLEAR" | some field in holding}
}

test_a_word_that_only_a_field_of_its_own_may_have_denies_all_the_others if {
	outcome := object.union(data.tables.outcomes.clear, {"read": {"*": "BY_PARAGRAPHS"}})
	question := q.asked("response_officer", "NMC", "OFFICER_SAFETY", q.fetch("NMC", "Vehicle", ["make"], {}))
	decision := gateway.decision with input as question with data.tables.outcomes.ladder as outcome
		with data.tables.matrix.Vehicle.response_officer as {"*": "ladder"}
	decision.resources.f0.read == {}
}

# --- deconfliction, before its root comes: how two operations that meet are told of each other ---

operation(agency) := q.fetch(agency, "Operation", ["deconfliction_mode", "contact", "name"], {})

by_mode := [
	{"when": lib.only({"deconfliction_mode": ["MUTUAL", "ASKER_ONLY"]}), "as": "CLEAR"},
	{"when": lib.only({}), "as": "HIT_ONLY"},
]

test_who_plans_a_warrant_learns_whom_to_call_and_nothing_of_the_operation if {
	every role, asked in {
		"response_officer": ["NMC", "APPREHEND"],
		"sergeant": ["NMC", "APPREHEND"],
		"immigration_enforcement": ["BID", "BORDER_SECURITY"],
	} {
		told := ruling(role, asked[0], asked[1], operation("NCB"), "f0")
		told.show == "hit"
		told.read == {}
		told.notes[""].desk == "ncb-intel"
		told.notes[""].action == "call"
		lib.only({"deconfliction_mode": ["MUTUAL", "ASKER_ONLY", "DESK_ONLY"]}).value[0] in told.rows.value
	}
	behind := ruling("immigration_enforcement", "BID", "IMMIGRATION_CONTROL", operation("NCB"), "f0")
	behind == {"show": "silent"}
}

test_an_analyst_is_told_of_a_clash_by_its_mode_and_never_its_name if {
	told := ruling("rocu_analyst", "ERU", "DECONFLICTION", operation("NCB"), "f0")
	told.read == {"deconfliction_mode": by_mode, "contact": by_mode}
}

test_the_bureau_sees_its_own_operations_whole_and_others_by_their_mode if {
	own := ruling("bureau_officer", "NCB", "DECONFLICTION", operation("NCB"), "f0")
	own.read == {"deconfliction_mode": "CLEAR", "contact": "CLEAR", "name": "CLEAR"}
	others := ruling("bureau_officer", "NCB", "DECONFLICTION", operation("ERU"), "f0")
	others.read == {"deconfliction_mode": by_mode, "contact": by_mode}
}

test_of_an_operation_that_stays_silent_its_owner_is_told if {
	decision := gateway.decision with input as q.asked("rocu_analyst", "ERU", "DECONFLICTION", operation("NCB"))
	some told in decision.obligations
	told.type == "notify_owner"
	told.attributes.agency == "NCB"
	told.attributes.resource == "f0"
	lib.eq("silent", true) in told.attributes.rows.value
}

test_under_deconfliction_nothing_else_is_reached if {
	not ruling("rocu_analyst", "ERU", "DECONFLICTION", q.fetch("NCB", "Person", ["sex"], {}), "f0").show
}
