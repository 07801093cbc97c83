# METADATA
# title: How a record is shown by the conditions that its owner set
# description: >-
#   The table says what each condition means here; nothing else that a role may see can widen it. A
#   condition that the table does not list, or lists with a word that is not known here, makes the
#   record a hit, and so does a code C without any. SILENT has its effect before: a mapping reads it
#   as the header's `silent`, which guards every record.
package gateway.handling

import data.gateway.lib

# METADATA
# title: The conditions with one of these words in the table, among those that there are
# custom:
#   owner: all agencies
#   reason: What a condition means was agreed by all agencies. Ask the gateway desk.
conditions(words) := [name |
	some name in data.tables.handling.listed
	data.tables.handling.conditions[name].enforce in words
]

# METADATA
# title: Words whose condition names something, and the field where a record says what
arguments := {"unit": "named_units", "purpose": "named_purposes", "until": "expires_on"}

# METADATA
# title: Words that need a field, without which a record or an element cannot be shown by them
needs := object.union(arguments, {"sanitised": "sanitised_text", "notify": "ref"})

# METADATA
# title: The words that can be carried out other than by a hit, for one type
# description: An owner whose desk nobody can tell of a reading is not told of it.
# custom:
#   owner: all agencies
#   reason: What cannot be carried out as its owner asks is not shown. Ask the owner's desk.
known_words(type, reachable) := ({"label"} | {word |
	some word, field in needs
	data.tables.fields[type][field]
}) - {word | some word in ["notify"]; not reachable}

# METADATA
# title: How a record or an element is shown as a whole, whatever a role may see of it
# description: Conditions bind everybody but the agency that set them.
# custom:
#   owner: all agencies
#   reason: Conditions protect sources, so what is in doubt is a hit. Ask the owner's desk, which the hit names.
whole("own", _, _) := "CLEAR"

whole("other", type, _) := "CLEAR" if not bound(type)

whole("other", type, reachable) := cases(known_words(type, reachable)) if bound(type)

# METADATA
# title: A type whose records or elements have a handling code of their own
# custom:
#   owner: all agencies
#   reason: A paragraph may need more care than its report. Ask the owner's desk.
bound(type) if data.tables.fields[type].handling

# METADATA
# title: Records whose owner is to learn of each reading
# custom:
#   owner: all agencies
#   reason: An owner who asks to be told of each reading is told. Ask the owner's desk.
telling := lib.one_of("conditions", conditions({"notify"})) if count(conditions({"notify"})) > 0

# METADATA
# title: The record must say for whom, for what or until when, if a condition says that it does
# custom:
#   owner: all agencies
#   reason: A condition that does not say for whom is for nobody. Ask the owner's desk.
unsaid(words) := [lib.all_of([lib.one_of("conditions", conditions({word})), lib.is_null(field)]) |
	some word, field in arguments
	word in words
]

# METADATA
# title: Not one that may be shown
# custom:
#   owner: all agencies
#   reason: A condition in doubt counts as the strictest. Ask the owner's desk.
closed(words) := lib.any_of(array.concat([lib.one_of("conditions", others)], unsaid(words))) if {
	others := [name |
		some name in data.tables.handling.listed
		not name in conditions(words)
	]
}

# METADATA
# title: For the reader's unit, for this purpose, today still, as far as it says so
# custom:
#   owner: all agencies
#   reason: Who shares for one unit, purpose or time has not shared for another. Ask the owner's desk.
meant := {
	"unit": lib.any_of([lib.is_null("named_units"), lib.one_of("named_units", units)]),
	"purpose": lib.any_of([lib.is_null("named_purposes"), lib.eq("named_purposes", input.context.purpose)]),
	"until": lib.any_of([lib.is_null("expires_on"), lib.compare("expires_on", "gte", substring(input.context.time, 0, 10))]),
}

# METADATA
# title: The reader's agency and the units that it answers for
# custom:
#   owner: all agencies
#   reason: A unit is named where its agency answers for it. Ask the gateway desk.
units := array.concat([input.subject.agency], object.get(data.tables.agencies, [input.subject.agency, "units"], []))

# METADATA
# title: Records whose sharing is permitted with conditions
coded := lib.eq("handling", "C")

# METADATA
# title: The cases of a record, the strictest first
# custom:
#   owner: all agencies
#   reason: Of several conditions the strictest counts. Ask the owner's desk.
cases(words) := array.concat(
	[
		{"when": lib.eq("handling", "P"), "as": "CLEAR"},
		{"when": lib.all_of([coded, closed(words)]), "as": "HIT_ONLY"},
	],
	array.concat(
		[under({"sanitised"}, words, "SANITISED_TEXT") | "sanitised" in words],
		[under(words - {"sanitised"}, words, "CLEAR"), {"when": coded, "as": "HIT_ONLY"}],
	),
)

# METADATA
# title: Shown so where a condition has one of these words, for whom the record is meant
# custom:
#   owner: all agencies
#   reason: A record is for whom its owner means it. Ask the owner's desk.
under(these, words, manner) := {
	"when": lib.all_of(array.concat(
		[coded, lib.one_of("conditions", conditions(these))],
		[one | some word, one in meant; word in words],
	)),
	"as": manner,
}

# METADATA
# title: The cases of a text that holds every paragraph
# description: In clear where no paragraph is coded C; else the owner's sanitised text stands for it.
# custom:
#   owner: all agencies
#   reason: A report must not tell in one text what its paragraphs keep back. Ask the desk of its originator to release it.
by_paragraphs(manner) := [
	{"when": lib.eq("restricted_paragraph", false), "as": "CLEAR"},
	{"when": lib.all_of([]), "as": "SANITISED_TEXT"},
] if {
	manner == "CLEAR"
} else := [one | some case in manner; some one in parted(case)]

# METADATA
# title: One case of such a text, in clear only without a restricted paragraph
parted(manner) := [manner] if manner.as != "CLEAR"

parted(manner) := [
	{"when": lib.all_of([manner.when, lib.eq("restricted_paragraph", false)]), "as": "CLEAR"},
	{"when": manner.when, "as": "SANITISED_TEXT"},
] if {
	manner.as == "CLEAR"
}
