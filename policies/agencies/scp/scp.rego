# METADATA
# title: Saltcoast Police
# description: May withhold, silence, hide and narrow; never allow.
package agencies.scp

import data.gateway.lib

# METADATA
# title: Our data may be asked for through the gateway
consents := true

# METADATA
# title: Safeguarding flags are not for immigration control
# custom:
#   owner: SCP
#   reason: Who asks the police for protection must not meet immigration control for it.
silence contains id if {
	lib.immigration_control
	some id in (lib.safeguarding & lib.of_agency("SCP"))
}
