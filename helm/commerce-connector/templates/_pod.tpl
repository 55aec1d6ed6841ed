{{/* The pod of a destination: root, entry, arguments, and whether it serves (and so is probed). */}}
{{- define "commerce-connector.podSpec" -}}
{{- $folder := include "commerce-connector.secretsFolder" . -}}
{{- $entry := .entry -}}
serviceAccountName: {{ include "commerce-connector.serviceAccountName" .root | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $entry.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $entry.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $entry.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
containers:
  - name: connector
    image: {{ include "commerce-connector.image" . | quote }}
    imagePullPolicy: {{ $entry.image.pullPolicy }}
    args: {{ toJson .arguments }}
    {{- with $entry.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $entry.extraEnv }}
    env:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- if .serves }}
    ports:
      - name: http
        containerPort: {{ include "commerce-connector.port" . }}
        protocol: TCP
    {{- range $probe, $path := dict "startupProbe" "/livez" "livenessProbe" "/livez" "readinessProbe" "/readyz" }}
    {{ $probe }}:
      httpGet: {path: {{ $path }}, port: http}
      {{- toYaml (get $entry $probe) | nindent 6 }}
    {{- end }}
    {{- end }}
    {{- with $entry.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - name: config
        mountPath: {{ include "commerce-connector.configFile" . | dir }}
        readOnly: true
      - name: secrets
        mountPath: {{ $folder }}
        readOnly: true
      {{- with $entry.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  {{- if .serves }}
  {{- with $entry.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ $entry.fullname }}
  # Whole folders, no subPath: so what is rotated in a Secret arrives in the running pod.
  - name: secrets
    projected:
      # For the group that fsGroup gives the files to; without it they belong to root.
      defaultMode: {{ ternary "0440" "0444" (not (empty (dig "fsGroup" "" ($entry.podSecurityContext | default dict)))) }}
      sources:
        {{- range $path, $reference := $entry.secrets }}
        {{- if $reference }}
        - {{ ternary "secret" "configMap" (not (empty $reference.existingSecret)) }}:
            name: {{ $reference.existingSecret | default $reference.existingConfigMap | quote }}
            items:
              - key: {{ $reference.key | quote }}
                path: {{ $path }}
        {{- end }}
        {{- end }}
  {{- with $entry.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $entry.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $entry.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $entry.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pods of one destination on different zones and machines, where there are several. */}}
{{- define "commerce-connector.spread" -}}
{{- $selector := include "commerce-connector.podSelector" . | fromYaml -}}
{{- range $constraint := .entry.topologySpreadConstraints }}
{{- $whole := deepCopy $constraint }}
{{- if not $whole.labelSelector }}
{{- $_ := set $whole "labelSelector" (dict "matchLabels" $selector) }}
{{- end }}
- {{ toYaml $whole | nindent 2 | trim }}
{{- end }}
{{- end -}}
