# METADATA
# title: Northmarch Constabulary
# description: May withhold, silence, hide and narrow; never allow.
package agencies.nmc

import data.gateway.lib

consents := true

# METADATA
# title: Safeguarding flags are not for border work
silence contains id if {
	lib.border_work
	some id in (lib.safeguarding & lib.of_agency("NMC"))
}
