# METADATA
# title: Northmarch Constabulary
# description: May withhold, silence, hide and narrow; never allow.
package agencies.nmc

import data.gateway.firewall
import data.gateway.lib

# METADATA
# title: Our data may be asked for through the gateway
consents := true

# METADATA
# title: Safeguarding flags are not for what the victim firewall stands before
# custom:
#   owner: NMC
#   reason: Who asks the police for protection must not meet immigration control for it. Ask the Northmarch records desk, or the public protection desk.
silence contains id if {
	firewall.stands
	some id in (lib.safeguarding & lib.of_agency("NMC"))
}
