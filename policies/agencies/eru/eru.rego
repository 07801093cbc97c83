# METADATA
# title: Eastern Region Organised Crime Unit
# description: May withhold, silence, hide and narrow; never allow.
package agencies.eru

import data.gateway.lib

# METADATA
# title: Our data may be asked for through the gateway
consents := true

# METADATA
# title: Our names for groups stay with people trained in intelligence
# custom:
#   owner: ERU
#   reason: A group's name can give an operation away. Ask the Regional unit's intelligence desk.
hide[id] contains "name" if {
	some id in (lib.of_type("OrganisedGroup") & lib.of_agency("ERU"))
	not lib.trained("intelligence")
}

# METADATA
# title: Our reports are not for partners abroad
# custom:
#   owner: ERU
#   reason: Another country gets reports through liaison, under its agreement. Ask the Regional unit's intelligence desk.
withhold[id] := {
	"rule": "eru.partners",
	"text": "Reports are exchanged through liaison channels.",
	"desk": "eru-intel",
	"action": "refer",
} if {
	some id in (lib.of_type("IntelligenceReport") & lib.of_agency("ERU"))
	input.subject.agency == "PARTNER"
}
