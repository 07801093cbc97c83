# METADATA
# title: Border and Immigration Directorate
# description: May withhold, silence, hide and narrow; never allow.
package agencies.bid

import data.gateway.lib

# METADATA
# title: Our data may be asked for through the gateway
consents := true

# METADATA
# title: The state of an immigration case is for border and crime officers
# custom:
#   owner: BID
#   reason: An open case is not for the street or for a service abroad. Ask the border desk.
hide[id] contains "case_state" if {
	some id in (lib.of_type("ImmigrationStatus") & lib.of_agency("BID"))
	input.subject.agency in {"PARTNER", "NMC"}
}
