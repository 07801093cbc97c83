# METADATA
# title: The agencies' own rules
# description: One package for each; each may take away what is its own, and none can widen.
# scope: subpackages
# schemas:
#   - input: schema.input
package agencies
