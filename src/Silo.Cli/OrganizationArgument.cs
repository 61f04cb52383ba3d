using System.CommandLine;
using Silo.Contracts;

namespace Silo.Cli;

/// <summary>An organization's id on the command line. What is none is refused before anything is asked.</summary>
internal static class OrganizationArgument
{
    /// <summary>As the word after the command.</summary>
    public static Argument<string> Word()
    {
        var argument = new Argument<string>("organization") { Description = "The organization's id." };
        argument.Validators.Add(result =>
        {
            if (!OrganizationId.TryParse(result.GetValueOrDefault<string>(), out _)) result.AddError(OrganizationException.InvalidId().Message);
        });
        return argument;
    }

    /// <summary>As an option.</summary>
    public static Option<string> Named() => Checked(new Option<string>("--org") { Description = "The organization's id.", Required = true });

    /// <summary>An organization that is to be made, as an option.</summary>
    public static Option<string?> New() => Checked(new Option<string?>("--as") { Description = "Make a new organization of this id instead, and change nothing of the other." });

    /// <summary>Has each value of an option be an organization's id.</summary>
    public static void Check(Option option) => option.Validators.Add(result =>
    {
        if (result.Tokens.Any(token => !OrganizationId.TryParse(token.Value, out _))) result.AddError(OrganizationException.InvalidId().Message);
    });

    private static Option<T> Checked<T>(Option<T> option)
    {
        Check(option);
        return option;
    }
}
