{{/*
Where a destination's pods may connect to. Ports that are not given are those of the addresses in its
configuration; a peer that is not given is anywhere.
*/}}

{{- define "commerce-connector.egress" -}}
{{- $egress := .entry.networkPolicy.egress -}}
{{- $config := .entry.config -}}
{{- $servers := get $config.source.properties "bootstrap.servers" -}}
{{- $brokers := list -}}
{{- range $server := splitList "," $servers -}}
{{- $brokers = append $brokers (regexFind ":[0-9]+$" (trim $server) | trimPrefix ":" | default "9092" | int) -}}
{{- end -}}
# names
{{ include "commerce-connector.egressRule" (dict "rule" $egress.dns "ports" (list 53) "protocols" (list "UDP" "TCP")) }}
# brokers
{{ include "commerce-connector.egressRule" (dict "rule" $egress.brokers "ports" ($brokers | uniq)) }}
{{- with dig "source" "schema_registry" "url" "" $config }}
# schema registry
{{ include "commerce-connector.egressRule" (dict "rule" $egress.registry "ports" (list (include "commerce-connector.portOf" .))) }}
{{- end }}
{{- $proxy := dig "destination" "proxy" "" $config }}
{{- $url := $proxy | default (dig "destination" "url" "" $config) | default "https://" }}
{{- $anywhere := dict "to" (list (dict "ipBlock" (dict "cidr" "0.0.0.0/0" "except" $egress.destination.privateRanges)) (dict "ipBlock" (dict "cidr" "::/0" "except" $egress.destination.privateRanges6))) }}
{{- $rule := pick $egress.destination "to" "ports" }}
{{- if not (or $rule.to $proxy) }}{{ $rule = merge (dict "to" $anywhere.to) $rule }}{{ end }}
# {{ ternary "proxy of the destination" "destination" (not (empty $proxy)) }}
{{ include "commerce-connector.egressRule" (dict "rule" $rule "ports" (list (include "commerce-connector.portOf" $url))) }}
{{- with $egress.extra }}
# extra
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "commerce-connector.egressRule" -}}
{{- $protocols := .protocols | default (list "TCP") -}}
{{- $ports := .rule.ports | default .ports -}}
- ports:
  {{- range $port := $ports }}
  {{- range $protocol := $protocols }}
    - {port: {{ $port | int }}, protocol: {{ $protocol }}}
  {{- end }}
  {{- end }}
  {{- with .rule.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The port of an address, or its scheme's. */}}
{{- define "commerce-connector.portOf" -}}
{{- $port := regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" -}}
{{- $port | default (ternary "80" "443" (hasPrefix "http://" .)) -}}
{{- end -}}
