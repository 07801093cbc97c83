# METADATA
# title: National Crime Bureau
# description: May withhold, silence, hide and narrow; never allow.
package agencies.ncb

import data.gateway.firewall
import data.gateway.lib

# METADATA
# title: Our data may be asked for through the gateway
consents := true

# METADATA
# title: Referrals as a possible victim of trafficking are not for what the victim firewall stands before
# custom:
#   owner: NCB
#   reason: A possible victim must be able to come forward. Ask the National bureau's intelligence desk.
silence contains id if {
	firewall.stands
	some id in (lib.safeguarding & lib.of_agency("NCB"))
}
