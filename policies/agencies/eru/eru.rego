# METADATA
# title: Eastern Region Organised Crime Unit
# description: May withhold, silence, hide and narrow; never allow.
package agencies.eru

import data.gateway.lib

consents := true

# METADATA
# title: Our names for groups stay with people trained in intelligence
hide[id] contains "name" if {
	some id in (lib.of_type("OrganisedGroup") & lib.of_agency("ERU"))
	not "intelligence" in input.subject.training
}

# METADATA
# title: Our reports are not for partners abroad
withhold[id] := {
	"rule": "eru.partners",
	"text": "Reports are exchanged through liaison channels.",
	"desk": "eru-intel",
	"action": "refer",
} if {
	some id in (lib.of_type("IntelligenceReport") & lib.of_agency("ERU"))
	input.subject.agency == "PARTNER"
}
