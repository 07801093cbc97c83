# METADATA
# title: How a record is shown by the conditions that its owner set
# description: >-
#   The table says what each condition means here. A condition that it does not list, or lists with
#   a word that is not known here, makes the record a hit, and so does a code C without any. SILENT
#   has its effect before: a mapping reads it as the header's `silent`, which guards every record.
package gateway.handling

import data.gateway.lib

# METADATA
# title: The conditions with one of these words in the table, among those that there are
conditions(words) := [name |
	some name in data.tables.handling.listed
	data.tables.handling.conditions[name].enforce in words
]

# METADATA
# title: Words whose condition names something, and the field where a report says what
arguments := {"unit": "named_units", "purpose": "named_purposes", "until": "expires_on"}

# METADATA
# title: Whose conditions leave the record as it is, for whom it is meant
open_words := {"label"} | object.keys(arguments)

# METADATA
# title: The words that these rules can carry out other than by a hit
known_words := open_words | {"sanitised"}

# METADATA
# title: The record must say for whom, for what or until when, if a condition says that it does
unsaid contains lib.all_of([lib.one_of("conditions", conditions({word})), lib.is_null(field)]) if {
	some word, field in arguments
}

# METADATA
# title: Not one that may be shown
closed := lib.any_of(array.concat([lib.one_of("conditions", others)], [one | some one in unsaid])) if {
	others := [name |
		some name in data.tables.handling.listed
		not name in conditions(known_words)
	]
}

# METADATA
# title: For the reader's unit, for this purpose, today still, as far as it says so
meant := [
	lib.any_of([lib.is_null("named_units"), lib.one_of("named_units", units)]),
	lib.any_of([lib.is_null("named_purposes"), lib.eq("named_purposes", input.context.purpose)]),
	lib.any_of([lib.is_null("expires_on"), lib.compare("expires_on", "gte", substring(input.context.time, 0, 10))]),
]

# METADATA
# title: The reader's agency and the units that it answers for
units := array.concat([input.subject.agency], object.get(data.tables.agencies, [input.subject.agency, "units"], []))

# METADATA
# title: Reports whose sharing is permitted with conditions
coded := lib.eq("handling", "C")

# METADATA
# title: The cases of a record, the strictest first
# custom:
#   owner: all agencies
#   reason: Conditions protect sources, so what is in doubt is a hit.
cases := [
	{"when": lib.eq("handling", "P"), "as": "CLEAR"},
	{"when": lib.all_of([coded, closed]), "as": "HIT_ONLY"},
	{"when": lib.all_of(array.concat([coded, lib.one_of("conditions", conditions({"sanitised"}))], meant)), "as": "SANITISED_TEXT"},
	{"when": lib.all_of(array.concat([coded, lib.one_of("conditions", conditions(open_words))], meant)), "as": "CLEAR"},
	{"when": coded, "as": "HIT_ONLY"},
]

# METADATA
# title: The cases of a text that holds every paragraph
# description: In clear where no paragraph is coded C; else the owner's sanitised text stands for it.
# custom:
#   owner: all agencies
#   reason: A report must not tell in one text what its paragraphs keep back.
by_paragraphs(manners) := [one | some manner in manners; some one in parted(manner)]

# METADATA
# title: One case of such a text, in clear only without a restricted paragraph
parted(manner) := [manner] if manner.as != "CLEAR"

parted(manner) := [
	{"when": lib.all_of([manner.when, lib.eq("restricted_paragraph", false)]), "as": "CLEAR"},
	{"when": manner.when, "as": "SANITISED_TEXT"},
] if {
	manner.as == "CLEAR"
}
