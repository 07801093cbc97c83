# METADATA
# title: The victim firewall
# description: >-
#   What people told as victims or witnesses is kept from purposes that it was not told for. The
#   switch belongs to the agencies that share the gateway, taken together; it is no fact of law.
package gateway.firewall

import data.gateway.lib
import data.gateway.subject

# METADATA
# title: It stands before this purpose
# custom:
#   owner: all agencies
#   reason: People report crimes without being asked for their papers. No desk can change it.
stands if input.context.purpose in data.tables.switches.firewall_purposes

# METADATA
# title: What becomes of victims' and witnesses' records by the setting that holds
# description: >-
#   A setting lowers the wall only if it is listed in `firewall_lowered_by` as well; any other word is
#   the wall itself.
# custom:
#   owner: all agencies
#   reason: One slip of one hand must not lower what victims rely on. No desk can change it.
setting := data.tables.switches.firewall_settings[word] if {
	word := data.tables.switches.firewall
	word in data.tables.switches.firewall_lowered_by
} else := {"victims": "silent"}

# METADATA
# title: They are not shown; that there is one is told, and whom to call
# custom:
#   owner: all agencies
#   reason: A victim is met by those who protect them, and through nobody else. No desk can change it.
told if {
	stands
	setting.victims == "hit"
	setting.note
}

# METADATA
# title: They are shown as any other, and their owner's desk is told of each
# description: Only where every owner asked has a desk to tell; the gateway itself asks without one.
# custom:
#   owner: all agencies
#   reason: Who answers for a victim must be able to warn them. No desk can change it.
open if {
	stands
	setting.victims == "shown"
	setting.due_s > 0
	not subject.unattended
	every agency, _ in lib.by_agency {
		data.tables.agencies[agency].desk
	}
}

# METADATA
# title: Places that say nothing before such a purpose, by every setting
# custom:
#   owner: all agencies
#   reason: That something is held on a victim tells already who is one. No desk can change it.
silenced := {place | stands; some place in data.tables.switches.firewall_silent}

# METADATA
# title: No record answers that stands on a victim's or a witness's role
# custom:
#   owner: all agencies
#   reason: Who reports a crime must not be found through the report. No desk can change it.
rows := [lib.eq("victim", false)] if {
	stands
	not open
} else := []

# METADATA
# title: What a place comes to under a crime purpose, where the matrix would have it silent
# description: >-
#   The wall's other side. Of a suspect who is a victim as well that much is told, and whom to call;
#   of anybody else the matrix's silence stands.
# custom:
#   owner: all agencies
#   reason: A suspect may be a victim first, and somebody must see to that. Ask the public protection desk.
floored(place, named) := data.tables.switches.firewall_told[place] if {
	subject.purpose.crime
	data.tables.outcomes[named].show == "silent"
} else := named

# METADATA
# title: Without a whole switch nothing is decided
# custom:
#   owner: all agencies
#   reason: Half a switch protects nobody. Ask the gateway desk.
whole if {
	is_string(data.tables.switches.firewall)
	is_array(data.tables.switches.firewall_purposes)
	is_array(data.tables.switches.firewall_silent)
	is_object(data.tables.switches.firewall_told)
}
