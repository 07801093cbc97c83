# METADATA
# title: What the gateway must do as a condition of what it is allowed
# description: Only what it can carry out; anything else would refuse the question.
package gateway.obligations

import data.gateway.lib

# METADATA
# title: A search by face and a break-glass question need their reason in words
# custom:
#   owner: all agencies
#   reason: The most intrusive questions are accounted for one by one.
required contains {"type": "require_reason", "attributes": {}} if lib.asks_by_face

required contains {"type": "require_reason", "attributes": {}} if input.context.reason_code == "R12"
