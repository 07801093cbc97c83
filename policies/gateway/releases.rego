# METADATA
# title: What an originator's desk has released to the person who asks
# description: >-
#   The gateway sends the open releases of the person, each with the fetches it may bear on. A release
#   shows its fields of its record in clear and nothing else; rows, owners' rules, clearance and the
#   table of what may be released at all stand as they are.
package gateway.releases

import data.gateway.fields
import data.gateway.lib
import data.gateway.subject

# METADATA
# title: Releases that bear on a fetch and have not ended
# custom:
#   owner: all agencies
#   reason: A desk releases until a moment, not for good. Ask the owner's desk.
open[id] contains one if {
	some one in input.releases
	one.until > input.context.time
	some id in one.resources
	fields.root[id] == id
}

# METADATA
# title: The fields that a release shows of a kind of record
# custom:
#   owner: all agencies
#   reason: What the agencies together keep back, and what is above a reader's clearance, stays so. No desk can change it.
shows(one, entity) := {field |
	some field in one.fields
	field in data.tables.casework.releasable[entity]
	data.tables.fields[entity][field][1] in subject.field_markings
}

# METADATA
# title: A record that is otherwise a hit is asked for by its ref, and released
# custom:
#   owner: all agencies
#   reason: What was released is read by the record it was released of. Ask the originator's desk.
opened contains id if {
	some id, releases in open
	some one in releases
	one.opens == true
}

# METADATA
# title: What hangs on a record that is shown by a release alone
# custom:
#   owner: all agencies
#   reason: What hangs on a released record was not released with it. Ask the originator's desk.
beneath(id) if input.resources[id].parent in opened

# METADATA
# title: The resources on which a release bears
# custom:
#   owner: all agencies
#   reason: A release opens what was asked for, and nothing beside it. Ask the originator's desk.
touched contains id if some id, _ in open

touched contains id if {
	count(opened) > 0
	some id, _ in input.resources
	beneath(id)
}

# METADATA
# title: A ruling with the fields that were released
# custom:
#   owner: all agencies
#   reason: A desk may open a field to one officer for a time. Ask the originator's desk.
widened(id, ruling) := object.remove(ruling, ["show"]) if {
	beneath(id)
} else := object.union(object.remove(ruling, ["read"]), {"show": "records", "whole": "CLEAR", "read": alone(id)}) if {
	id in opened
	ruling.show in {"hit", "records"}
} else := object.union(ruling, {"read": added(id, ruling.read)}) if {
	open[id]
	ruling.show == "records"
} else := ruling

# METADATA
# title: The name of an opened record and what was released of it, and no other field
# custom:
#   owner: all agencies
#   reason: A release opens what was asked for, and nothing beside it. Ask the originator's desk.
alone(id) := {field: "CLEAR" |
	resource := input.resources[id]
	some one in open[id]
	one.opens == true
	some field in (shows(one, resource.entity) | {"ref"})
	field in resource.read
}

# METADATA
# title: The manners of released fields, for their own record first
# custom:
#   owner: all agencies
#   reason: A release opens what was asked for, and nothing beside it. Ask the originator's desk.
added(id, read) := {field: manner |
	some field in input.resources[id].read
	not in_clear(read, field)
	manner := cases(id, field, otherwise(read, field))
}

# METADATA
# title: Shown already
in_clear(read, field) if read[field] == "CLEAR"

# METADATA
# title: Clear in the records released, elsewhere as ever; nothing where none is
# custom:
#   owner: all agencies
#   reason: A release is of named records; all others stay as they were. Ask the originator's desk.
cases(id, field, rest) := array.concat(clear, rest) if {
	entity := input.resources[id].entity
	clear := [{"when": lib.eq("released", one.id), "as": "CLEAR"} |
		some one in open[id]
		field in shows(one, entity)
	]
	count(clear) > 0
}

# METADATA
# title: How a field is shown without a release; a hit stays one in every field
otherwise(read, field) := read[field] if {
	is_array(read[field])
} else := [{"when": lib.all_of([]), "as": read[field]}] if {
	is_string(read[field])
} else := [one | some one in object.get(read, "ref", []); one.as == "HIT_ONLY"]
