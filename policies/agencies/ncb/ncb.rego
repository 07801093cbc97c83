# METADATA
# title: National Crime Bureau
# description: May withhold, silence, hide and narrow; never allow.
package agencies.ncb

import data.gateway.lib

consents := true

# METADATA
# title: Referrals as a possible victim of trafficking are not for border work
silence contains id if {
	lib.border_work
	some id in (lib.safeguarding & lib.of_agency("NCB"))
}
