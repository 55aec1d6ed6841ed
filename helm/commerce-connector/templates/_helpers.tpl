{{/* Names and labels. */}}

{{- define "commerce-connector.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The beginning of every name: the release's, with the chart's where it does not say so already. */}}
{{- define "commerce-connector.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "commerce-connector.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "commerce-connector.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "commerce-connector.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What selects everything of this release. Quoted, as a release may be called "on" or "24". */}}
{{- define "commerce-connector.releaseSelector" -}}
app.kubernetes.io/name: {{ include "commerce-connector.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/*
Labels of a thing: root; the entry and the component of what has them; and its own as "labels". Each name stands
once, since many readers take no YAML that repeats one: the chart's word counts, then its own, then what all have.
*/}}
{{- define "commerce-connector.labels" -}}
{{- $ours := include "commerce-connector.itsLabels" . | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_")) -}}
{{- toYaml (merge $ours (.labels | default dict) (.root.Values.commonLabels | default dict)) -}}
{{- end -}}

{{/* Labels of the pods of one destination. Without the chart's version: a new chart alone replaces no pod. */}}
{{- define "commerce-connector.podLabels" -}}
{{- $ours := include "commerce-connector.itsLabels" . | fromYaml -}}
{{- toYaml (merge $ours (.entry.podLabels | default dict) (.root.Values.commonLabels | default dict)) -}}
{{- end -}}

{{- define "commerce-connector.itsLabels" -}}
{{ include "commerce-connector.releaseSelector" .root }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- if .entry }}
{{ include "commerce-connector.label" . }}
{{- end }}
{{- end -}}

{{/* Which destination a thing belongs to. The check pod has this label, too, and so its network policy. */}}
{{- define "commerce-connector.label" -}}
commerce-connector/destination: {{ .entry.key | quote }}
{{- end -}}

{{/* What selects the pods of one destination that carry events. */}}
{{- define "commerce-connector.podSelector" -}}
{{ include "commerce-connector.releaseSelector" .root }}
app.kubernetes.io/component: connector
{{ include "commerce-connector.label" . }}
{{- end -}}

{{/* The annotations of a thing: root, and its own as "annotations"; nothing when there are none. */}}
{{- define "commerce-connector.annotations" -}}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Those of a destination's pods: the chart's as "annotations", root, entry; each name once, as with labels. */}}
{{- define "commerce-connector.podAnnotations" -}}
{{- toYaml (merge (dict) .annotations (.entry.podAnnotations | default dict) (.root.Values.commonAnnotations | default dict)) -}}
{{- end -}}
