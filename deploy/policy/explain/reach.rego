# METADATA
# title: What a question comes to in the tables
# description: For `make check`, which puts every question that can be put and lists what none reaches.
# schemas:
#   - input: schema.input
package explain.reach

import data.explain
import data.gateway
import data.gateway.fields

# METADATA
# title: The cells that decide, the words that hold for each type, and what is shown and agreed
# entrypoint: true
told := {
	"cells": {keys | some id, _ in fields.outcome_name; keys := explain.cell(id)[0][1]},
	"words": {[word, input.resources[id].entity, fields.name[id]] | some id, word in fields.outcome_name},
	"places": {[fields.name[id]] | some id, _ in fields.outcome_name},
	"read": {[input.resources[id].entity, field] | some id, shown in gateway.agreed; some field, _ in shown.read},
	"used": {[input.resources[id].entity, use, field] |
		some id, shown in gateway.agreed
		some use, names in shown.uses
		some field in names
	},
}
