# METADATA
# title: National Image Service
# description: May withhold, silence, hide and narrow; never allow.
package agencies.nis

import data.gateway.lib

# METADATA
# title: Our data may be asked for through the gateway
consents := true

# METADATA
# title: Ranking by face is for people trained for it
# custom:
#   owner: NIS
#   reason: An untrained eye takes a likeness for an identity. Ask the facial search desk.
withhold[id] := {
	"rule": "nis.operators",
	"text": "Refer to a trained operator.",
	"desk": "face",
	"action": "refer",
} if {
	some id in (lib.of_type("FaceCandidate") & lib.of_agency("NIS"))
	not lib.trained("face_operator")
}
