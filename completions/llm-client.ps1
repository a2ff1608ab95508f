# PowerShell completion of llm-client, made by `make completions`.

Register-ArgumentCompleter -Native -CommandName llm-client -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $program = $commandAst.GetCommandName()
    if ($program -notmatch '[\\/]') { $program = 'llm-client' }
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
                $_.Value
            } else {
                $_.Extent.Text
            }
        })
    $words += "$wordToComplete".TrimStart("'", '"')
    $env:_LLM_CLIENT_COMPLETE = 'powershell'
    $env:_LLM_CLIENT_COMPLETE_WORDS = $words -join [char]31
    try {
        $answer = @(& $program 2>$null)
    } finally {
        Remove-Item Env:_LLM_CLIENT_COMPLETE, Env:_LLM_CLIENT_COMPLETE_WORDS
    }
    if ($answer.Count -eq 0) {
        '' # Without any result it would offer files, as it does where they are wanted.
    } elseif ($answer[0] -eq 'words') {
        $answer | Select-Object -Skip 1 | ForEach-Object {
            $word, $shown, $help = $_ -split "`t", 3
            [System.Management.Automation.CompletionResult]::new(
                $word, $shown, 'ParameterValue', $help)
        }
    }
}
