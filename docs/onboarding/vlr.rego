# METADATA
# title: Vehicle Licensing Register
# description: May withhold, silence, hide and narrow; never allow.
package agencies.vlr

import data.gateway.lib

# METADATA
# title: Our data may be asked for through the gateway
consents := true

# METADATA
# title: Only entries that the register keeps current
# custom:
#   owner: VLR
#   reason: An entry that has lapsed would name a keeper who is none. Ask the vehicle and camera desk.
rows[id] := lib.eq("retention", "CURRENT") if {
	some id in (lib.of_type("Vehicle") & lib.of_agency("VLR"))
}

# METADATA
# title: Keepers are not for immigration control
# custom:
#   owner: VLR
#   reason: Keepers give their names to be on the road, and for nothing else. Ask the vehicle and camera desk.
withhold[id] := {
	"rule": "vlr.keepers",
	"text": "The register's keepers are not given for immigration control.",
	"desk": "vehicles",
	"action": "refer",
} if {
	some id in (lib.of_type("Person") & lib.of_agency("VLR"))
	input.context.purpose == "IMMIGRATION_CONTROL"
}
